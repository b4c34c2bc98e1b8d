"""Names for the other devices of a tailnet at Tailscale's service, as a Pulumi resource: who is asked for a domain.

Who answers is on the first machine (`homespun.hosts.names`). All else that a tailnet knows of names is its owner's.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from homespun.clients.errors import ServiceError
from homespun.clients.tailnet import Dns, Tailnet
from stacks import progress
from stacks.mesh import control
from stacks.mesh.errors import MeshError
from stacks.mesh.policy import TAG

REPLACING: Final = ("url", "domain")


class NamesProvider(ResourceProvider):
    """Has a domain's name server be the machine."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another domain is another entry; another address is put in the place of ours."""
        replaces = [name for name in REPLACING if olds.get(name) != news.get(name)]
        changes = bool(replaces) or olds.get("servers") != news.get("servers")
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Have it asked. Raises MeshError where somebody else's is asked already."""
        return CreateResult(props["domain"], self._put(props, ()))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: who is asked now. Where Tailscale doesn't say, as recorded."""
        try:
            found = control.tailscale().dns().split.get(id_)
        except ServiceError:
            return ReadResult(id_, props)
        return ReadResult(id_, {**props, "servers": list(found)}) if found else ReadResult("", {})

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """The machine's new address, in the place of what we put there last."""
        return UpdateResult(self._put(news, olds["ours"]))

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Nobody is asked any more, unless it is somebody else's by now."""
        with progress.stage("mesh", "names"):
            server = control.tailscale()
            before = server.dns()
            if list(before.split.get(id_, ())) == props["ours"]:
                server.put_dns(_without(before, [id_]), before)

    def _put(self, props: dict[str, Any], known: Iterable[str]) -> dict[str, Any]:
        """The outputs: `servers` is what a refresh finds, `ours` what we put there."""
        with progress.stage("mesh", "names"):
            server, domain = control.tailscale(), props["domain"]
            before = server.dns()
            if why := refusal(before, domain, {*known, *addresses(server)}):
                raise MeshError(why)
            server.put_dns(replace(before, split={**before.split, domain: tuple(props["servers"])}), before)
        return {**props, "ours": props["servers"]}


class Names(Resource, module="homespun", name="Names"):
    """The names under a domain, for the devices of a tailnet."""

    def __init__(
        self, url: pulumi.Input[str], domain: str, addresses: pulumi.Output[list[str]], opts: pulumi.ResourceOptions
    ) -> None:
        """Who has these addresses in the tailnet at `url` is asked for all of them."""
        servers = addresses.apply(lambda known: [one for one in known if ":" not in one])  # it answers by IPv4 alone
        super().__init__(NamesProvider(), "names", {"url": url, "domain": domain, "servers": servers}, opts)


def addresses(server: Tailnet) -> set[str]:
    """Of the cluster's machines in the tailnet. Raises ServiceError."""
    return {address for device in server.devices() if TAG in device.tags for address in device.addresses}


def refusal(found: Dns, domain: str, ours: Collection[str]) -> str:
    """That somebody else is asked for the domain's names already, and what to do; '' where nobody but ours is."""
    others = [one for one in found.split.get(domain, ()) if one not in ours]
    if not others:
        return ""
    return (
        f"the tailnet's names: {domain}: expected none who is asked for them, found {', '.join(others)}; nothing was"
        " changed. Say another homespun:mesh.domain, or take that out (https://login.tailscale.com/admin/dns)"
    )


def leave(server: Tailnet) -> list[str]:
    """Have none of the cluster's machines asked, known to Pulumi or not; the domains. Raises ServiceError."""
    before, ours = server.dns(), addresses(server)
    gone = [domain for domain, servers in before.split.items() if servers and ours.issuperset(servers)]
    if gone:
        server.put_dns(_without(before, gone), before)
    return gone


def _without(found: Dns, domains: Collection[str]) -> Dns:
    return replace(found, split={name: servers for name, servers in found.split.items() if name not in domains})
