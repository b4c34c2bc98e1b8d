"""What all machines of one cluster have to agree on, and what each of them is in it."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final, Literal
from urllib.parse import urlsplit

API_PORT: Final = 6443
NODE_PORTS: Final = range(30000, 32768)
"""Kubernetes' own, unless an API server was told otherwise."""

Role = Literal["control-plane", "worker"]


@dataclass(frozen=True)
class Cluster:
    """A cluster's names and ranges, none of which may overlap with another or with the machines' own network."""

    name: str
    kubernetes_version: str
    endpoint: str
    """The control plane's name, in the /etc/hosts of each machine: an address of its own may follow, unnoticed."""
    endpoint_address: str
    pod_range: IPv4Network
    service_range: IPv4Network
    dns_domain: str = "cluster.local"

    @property
    def dns_address(self) -> str:
        """kubeadm's convention: the tenth address of the service range."""
        return str(self.service_range[10])


@dataclass(frozen=True)
class Member:
    """A machine's place in a cluster."""

    name: str
    role: Role
    site: str
    """Machines of one site share a LAN; between sites there is the mesh alone."""
    lan: IPv4Address | None
    """On its site's LAN; of one that is alone at its site, whatever it is known by. None for one that is yet to be
    rented: nobody shares its LAN."""
    address: IPv4Address
    """The node's: on the control plane's site the one on the LAN, elsewhere one of the mesh's own, which no LAN has."""
    pods: IPv4Network
    """Its part of the cluster's pod range."""

    def shares_lan(self, other: "Member") -> bool:
        """Whether both are at one site."""
        return self.site == other.site


@dataclass(frozen=True)
class Mesh:
    """What joins a cluster's sites: a tailnet."""

    control_url: str
    """Of the control server: Tailscale's own, or a headscale's."""
    authority: bool
    """Whether that server's certificate is vouched for by an authority of its own, which machines are given."""
    inside: IPv4Address
    """Of tailscaled on each machine, known to that machine alone."""
    headscale_port: int | None = None
    """Where the control plane's machine is the control server: its port. None: it is somebody else's."""
    domain: str = ""
    """What the names end with by which the tailnet's other devices find the control plane's machine. '': they don't."""

    @property
    def control_address(self) -> str:
        """Of the control server, as all machines know it."""
        return str(urlsplit(self.control_url).hostname)

    def is_served_by(self, member: Member) -> bool:
        """Whether that machine is the control server."""
        return self.headscale_port is not None and member.role == "control-plane"
