"""A tailnet, in the words that its two control servers share: Tailscale's own and headscale.

What one of them can't do is said by a flag, and by `Refused` where it is asked for it all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol


@dataclass(frozen=True)
class Device:
    """A member of the tailnet."""

    id: str
    """The control server's, and what `tailscale status --json` on the device calls Self.ID."""
    name: str
    """Its name in the tailnet's DNS, unique there: the hostname, with a number where that was taken."""
    hostname: str
    """As the machine calls itself."""
    addresses: tuple[str, ...]
    tags: tuple[str, ...]
    online: bool
    """Whether it is connected to the control server. A cut link may go unnoticed for minutes."""
    ephemeral: bool
    """Whether it is deleted by itself once it has been offline for a while."""
    advertised_routes: tuple[str, ...]
    """Networks behind it that it offers to carry."""
    enabled_routes: tuple[str, ...]
    """Those of them that were approved, and others that were approved before they were offered."""


@dataclass(frozen=True)
class AuthKey:
    """What lets a device in."""

    id: str
    tags: tuple[str, ...]
    """What its devices are tagged with."""
    reusable: bool
    ephemeral: bool
    """Whether its devices are."""
    description: str = ""
    """'' where the server keeps none."""
    secret: str = field(default="", repr=False)
    """The key itself: only in the answer to `create_key`."""


@dataclass(frozen=True)
class Policy:
    """Who may reach whom: HuJSON, JSON with comments and trailing commas."""

    text: str
    etag: str
    """The server's name for this very text, '' where it has none."""
    untouched: bool
    """Whether it looks like the server's own, that nobody ever changed. `put_policy` makes sure."""


@dataclass(frozen=True)
class Dns:
    """What names the devices of the tailnet can resolve."""

    magic: bool
    """Whether devices resolve each other's names."""
    nameservers: tuple[str, ...]
    """Addresses of those for all names; none: each device keeps its own."""
    search_paths: tuple[str, ...]
    split: Mapping[str, tuple[str, ...]]
    """Name servers for the names below a domain."""


class Tailnet(Protocol):
    """A control server's API. Each method raises `ServiceError`; one that only looks can be asked at any time."""

    compare_and_set: ClassVar[bool]
    """Whether `put_policy` is atomic; if not, it looks first, and a change in the moment after that look is lost."""
    dns_by_api: ClassVar[bool]
    """Whether `dns` and `put_dns` do anything but refuse."""

    def policy(self) -> Policy:
        """The policy in force."""

    def check_policy(self, text: str) -> tuple[str, ...]:
        """Have the server read a policy and run its `tests`, changing nothing; what it warns of.

        Raises InvalidPolicy, with the server's words.
        """

    def put_policy(self, text: str, before: Policy) -> Policy:
        """Put a policy in the place of `before`. A lost answer is made up for by a look at the policy in force.

        Raises InvalidPolicy; Stale where another one is in force meanwhile, or `before` only looked untouched. To
        replace one that is somebody's, whatever it looks like, say so: `replace(before, untouched=False)`.
        """

    def devices(self) -> tuple[Device, ...]:
        """All members; not the devices of others that are shared with it."""

    def delete_device(self, id: str) -> None:
        """Take a device out of the tailnet; one that is gone already is fine."""

    def create_key(
        self,
        tags: tuple[str, ...],
        *,
        ephemeral: bool,
        reusable: bool = False,
        expiry_seconds: int,
        description: str = "",
    ) -> AuthKey:
        """A new key. It is never asked for twice: where the answer is lost, a key that nobody knows may be left, until
        it expires.
        """

    def keys(self) -> tuple[AuthKey, ...]:
        """The keys that still let somebody in, without their secrets."""

    def delete_key(self, id: str) -> None:
        """Let a key let nobody in any more; one that is gone already is fine. Devices that it let in stay."""

    def dns(self) -> Dns:
        """The names in force."""

    def put_dns(self, wanted: Dns, before: Dns) -> None:
        """Change what differs between the two, and nothing else. It is not atomic: asked again, it goes on."""
