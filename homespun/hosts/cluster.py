"""What all machines of one cluster have to agree on."""

from dataclasses import dataclass
from ipaddress import IPv4Network


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


API_PORT = 6443
