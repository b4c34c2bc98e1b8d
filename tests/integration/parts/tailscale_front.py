"""Tailscale's REST API before a real headscale: machines join the one, and what asks for that tailnet sees the other.

Requests are held to Tailscale's documents as by `tailscale_api`. What is done by them is done to the headscale; what is
said of devices is what it says. Keys' descriptions and a policy's hash, which headscale has none of, are kept here.
Of names it has no API: who is asked for a domain is in its configuration, and the rest refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homespun.clients.errors import InvalidPolicy, ServiceError
from homespun.clients.headscale import Headscale as Client
from homespun.clients.headscale import by_api_key
from homespun.clients.tailnet import Device
from tests.integration.parts.headscale import Headscale
from tests.integration.parts.tailscale_api import Refusal, Reply, Request, TailscaleApi, device


@dataclass(kw_only=True)
class TailscaleFront(TailscaleApi):
    """The server. The policy that it is made with is somebody's, and in force from then on."""

    server: Headscale
    behind: Client = field(init=False)

    def __post_init__(self) -> None:
        self.behind = by_api_key(self.server.url, self.server.api_key(), str(self.server.authority))
        self.edit(self.policy)

    def answer(self, request: Request) -> Reply:
        """As the documents have it."""
        if request.method == "POST" and "/dns/" in request.path:
            raise Refusal(404, "not found")
        try:
            with self._lock:
                self.devices = [_told(one) for one in self.behind.devices()]
                return super().answer(request)
        except ServiceError as error:
            raise Refusal(500, str(error)) from error

    def edit(self, policy: str) -> None:
        """In force at the headscale too."""
        self.behind.put_policy(policy, self.behind.policy())
        super().edit(policy)

    def examine(self, policy: str) -> tuple[str, list[dict[str, Any]]] | None:
        """By the headscale too."""
        try:
            self.behind.check_policy(policy)
        except InvalidPolicy as error:
            return str(error), []
        return super().examine(policy)

    def ask_for(self, split: dict[str, list[str]]) -> None:
        """By the headscale's devices too."""
        super().ask_for(split)
        self.server.ask_for(split)

    def forget(self, device: str) -> None:
        """By the headscale."""
        self.behind.delete_device(device)

    def issue(self, create: Mapping[str, Any], seconds: int) -> tuple[str, str]:
        """The headscale's, which machines take."""
        made = self.behind.create_key(
            tuple(create["tags"]), ephemeral=create["ephemeral"], reusable=create["reusable"], expiry_seconds=seconds
        )
        return made.id, made.secret

    def revoke(self, key: str) -> None:
        """At the headscale too."""
        self.behind.delete_key(key)
        super().revoke(key)


def _told(found: Device) -> dict[str, Any]:
    return device(
        found.hostname, id=found.id, nodeId=found.id, name=f"{found.name}.tail0123.ts.net", tags=list(found.tags),
        addresses=list(found.addresses), connectedToControl=found.online, isEphemeral=found.ephemeral,
        advertisedRoutes=list(found.advertised_routes), enabledRoutes=list(found.enabled_routes),
    )  # fmt: skip
