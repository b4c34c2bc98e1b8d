"""The LANs of a lab, as its settings declare them."""

from homespun.hosts import headscale, mesh
from homespun.hosts.cluster import Mesh
from stacks.machines.network import Network
from stacks.settings import HOME, LabBase


def networks(settings: LabBase) -> dict[str, Network]:
    """By the names of the sites. At the control plane's, what the mesh needs is let in."""
    lab, at = settings.lab, settings.machines[0].site
    let_in = {at: _needed(settings.joined)} if settings.joined else {}
    return {
        HOME: Network(lab.name, lab.bridge, lab.range, published=let_in.get(HOME, ())),
        **{
            site.name: Network(lab.name, site.bridge, site.range, site.name, let_in.get(site.name, ()))
            for site in lab.sites
        },
    }


def _needed(joined: Mesh) -> tuple[str, ...]:
    """What has to be let in: WireGuard, so that one side of each pair is found, and a control server of our own."""
    if joined.headscale_port is None:
        return (f"udp dport {mesh.PORT}",)
    return (f"tcp dport {joined.headscale_port}", f"udp dport {{ {headscale.STUN_PORT}, {mesh.PORT} }}")
