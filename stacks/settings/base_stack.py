"""Settings of a base stack: machines, hosts, mesh, cluster."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import Annotated, Final, Literal

from pydantic import Field

from homespun.hosts.cluster import Member, Mesh
from homespun.hosts.mesh import TAILSCALE_URL
from stacks.settings.fields import (
    LISTED,
    PREFIX,
    Address,
    Domain,
    Network,
    Port,
    Section,
    matching,
    one_of,
    size,
    word,
)
from stacks.settings.machines import (
    HOME,
    SITE_LETTERS,
    HomeMachineSettings,
    MachineSettings,
    RentedSettings,
    VastSettings,
)

NAME_LETTERS: Final = 20
"""Of a cluster of one's own machines, at most."""
FIRST_ADDRESS: Final = 10
"""The first machine's place in a site's network; below it is room for the box and what it may bring."""
POD_PREFIX: Final = 24
"""Each machine gets a part of this size of the pods' range."""


class ClusterSettings(Section):
    """Ranges of the cluster's own, which no machine's network may touch."""

    pod_range: Annotated[Network, size(23)] = IPv4Network("10.42.0.0/16")
    service_range: Annotated[Network, size(24)] = IPv4Network("10.43.0.0/16")
    mesh_range: Annotated[Network, size(28)] = IPv4Network("10.48.0.0/24")
    """Of the addresses of nodes that are not on the control plane's site."""

    @property
    def ranges(self) -> dict[str, IPv4Network]:
        """By their settings."""
        return {
            f"{PREFIX}cluster.podRange": self.pod_range,
            f"{PREFIX}cluster.serviceRange": self.service_range,
            f"{PREFIX}cluster.meshRange": self.mesh_range,
        }


class MeshSettings(Section):
    """What joins the sites: a tailnet of the cluster's own, or one at Tailscale's service.

    Tailscale's credentials are in no settings: `stacks.mesh.control` says where they are looked for.
    """

    control: Annotated[
        Literal["headscale", "tailscale"],
        one_of("headscale (of your own) or tailscale (its own service)", "headscale", "tailscale"),
    ] = "headscale"
    """The control server."""
    headscale_port: Port = 8443
    """Of a headscale on the first machine: TCP, and TLS."""
    adopt: Annotated[bool, one_of("true or false", True, False)] = False
    """Whether our part may be added to a policy at Tailscale's that is somebody's already."""
    control_url: Annotated[str, matching(r"https?://\S+(?<!/)", f"an address such as {TAILSCALE_URL}")] = TAILSCALE_URL
    """Of another server that speaks Tailscale's protocol, and whose API is Tailscale's."""
    domain: Domain | None = None
    """What the names end with by which the other devices of a tailnet at Tailscale's find the first machine."""

    @property
    def at_tailscale(self) -> bool:
        """Whether the control server is Tailscale's own."""
        return self.control == "tailscale"

    def contradictions(self) -> list[str]:
        """What is said of the one control server that only the other has."""
        whose = "is Tailscale's" if self.at_tailscale else "is a headscale of your own"
        said = self.model_dump(mode="json", include=set(self.model_fields_set & self.foreign), by_alias=True)
        return [
            f"{PREFIX}mesh.{name}: expected none where the control server {whose}, got {value}"
            for name, value in said.items()
        ]

    @property
    def foreign(self) -> frozenset[str]:
        """The settings that only the other control server has."""
        return frozenset({"headscale_port"} if self.at_tailscale else {"adopt", "control_url", "domain"})


class BaseSettings(Section, ABC):
    """What every base stack is told. `machines`, of which the first holds the control plane, each kind declares."""

    mesh: MeshSettings = Field(default_factory=MeshSettings)
    cluster: ClusterSettings = Field(default_factory=ClusterSettings)

    @property
    @abstractmethod
    def first(self) -> MachineSettings:
        """The control plane's machine."""

    @property
    @abstractmethod
    def listed(self) -> Sequence[MachineSettings | RentedSettings]:
        """The machines, the control plane's first."""

    @property
    @abstractmethod
    def called(self) -> str:
        """The cluster's name."""

    @abstractmethod
    def lan(self, machine: MachineSettings) -> IPv4Address:
        """A machine's address on its site's LAN."""

    @abstractmethod
    def networks(self) -> dict[str, IPv4Network]:
        """The LANs that the settings name, by the settings."""

    @property
    def members(self) -> tuple[Member, ...]:
        """What each machine is in the cluster."""
        return tuple(map(self._member, self.listed))

    @property
    def joined(self) -> Mesh | None:
        """What joins the sites; None where all machines are at one, and no other devices are to find them."""
        if len({machine.site for machine in self.listed}) == 1 and not self.mesh.domain:
            return None
        inside = self.cluster.mesh_range[1]
        if self.mesh.at_tailscale:
            return Mesh(self.mesh.control_url, authority=False, inside=inside, domain=self.mesh.domain or "")
        port = self.mesh.headscale_port
        return Mesh(f"https://{self.control_address}:{port}", authority=True, inside=inside, headscale_port=port)

    @property
    def meets_at_tailscale(self) -> bool:
        """Whether its machines are devices of a tailnet at Tailscale's service."""
        return self.joined is not None and self.mesh.at_tailscale

    @property
    def control_address(self) -> IPv4Address:
        """Where all machines reach the first one, which is the mesh's control server if it is one of our own."""
        return self.lan(self.first)

    @property
    def beside_the_first(self) -> dict[str, IPv4Address]:
        """The addresses of the machines at the first one's site, on its LAN: there they are reached from everywhere."""
        return {one.name: self.lan(one) for one in self.listed
                if isinstance(one, MachineSettings) and one.site == self.first.site}  # fmt: skip

    @property
    def carried(self) -> tuple[IPv4Network, ...]:
        """The networks that machines carry over the mesh: of all pods, and of nodes."""
        lan = map(IPv4Network, self.beside_the_first.values())
        return (self.cluster.pod_range, self.cluster.mesh_range, *lan)

    def over_the_mesh(self, name: str) -> dict[str, IPv4Network]:
        """The LAN addresses that a machine reaches over the mesh alone, by the settings, as far as these name them."""
        return {}

    def contradictions(self) -> list[str]:
        """What several settings say together."""
        return [
            *self.mesh.contradictions(),
            *self._overlaps(),
            *doubles("machines", "name", self.listed),
            *doubles("machines", "number", self.listed),
            *self._places(),
        ]

    def _member(self, machine: MachineSettings | RentedSettings) -> Member:
        place, prefix = FIRST_ADDRESS + machine.number, max(POD_PREFIX, self.cluster.pod_range.prefixlen)
        return Member(
            name=machine.name,
            role="control-plane" if machine == self.first else "worker",
            site=machine.site,
            lan=self.lan(machine) if isinstance(machine, MachineSettings) else None,
            address=self.beside_the_first.get(machine.name) or self.cluster.mesh_range[place],
            pods=IPv4Network((self.cluster.pod_range[machine.number << (32 - prefix)], prefix)),
        )

    def _room(self) -> int:
        """For how many machines the ranges have room."""
        pods = 1 << (POD_PREFIX - min(POD_PREFIX, self.cluster.pod_range.prefixlen))
        return min(pods, self.cluster.mesh_range.num_addresses - FIRST_ADDRESS - 1)

    def _places(self) -> list[str]:
        most = self._room()
        return [
            f"{PREFIX}machines: {one.name}: number: expected less than {most}, for which the ranges of sites, mesh and"
            f" pods have room, got {one.number}"
            for one in self.listed
            if one.number >= most
        ]

    def _overlaps(self) -> list[str]:
        """kube-proxy drops what goes to an address of the service range that is no service; the others are as bad."""
        ranges = {**self.networks(), **self.cluster.ranges}
        return [
            f"{one}: expected not to overlap with {other} ({ranges[other]}), got {ranges[one]}"
            for one, other in combinations(ranges, 2)
            if ranges[one].overlaps(ranges[other])
        ]


def doubles(where: str, what: str, entries: Sequence[Section]) -> list[str]:
    """What several entries of a list have in common that may be there once."""
    values = [getattr(entry, what) for entry in entries]
    return [
        f"{PREFIX}{where}: expected each {what} once, got {value} {values.count(value)} times"
        for value in dict.fromkeys(values)
        if values.count(value) > 1
    ]


class SiteSettings(Section):
    """A further LAN of a lab: its machines are behind a NAT of their own, and nobody is let in."""

    # A site's network is called by the lab's name and its own.
    name: Annotated[str, word(SITE_LETTERS)]
    bridge: Annotated[str, word(15)]
    range: Annotated[Network, size(28)]


class LabSettings(Section):
    """A lab on this box. All of it may be changed so that two labs run side by side."""

    # Names of interfaces are cut at 15 bytes, and a machine's holds the lab's.
    name: Annotated[str, word(8)] = "lab"
    bridge: Annotated[str, word(15)] = "hs-lab"
    range: Annotated[Network, size(28)] = IPv4Network("10.41.0.0/24")
    """Of the site `home`."""
    sites: Annotated[tuple[SiteSettings, ...], LISTED] = ()
    """The others."""


class LabBase(BaseSettings):
    """Machines that are made on this box."""

    environment: Literal["lab"] = "lab"
    lab: LabSettings = Field(default_factory=LabSettings)
    machines: Annotated[tuple[MachineSettings, ...], LISTED, Field(min_length=1)] = (
        MachineSettings(name="m0", number=0),
    )

    @property
    def first(self) -> MachineSettings:
        """As declared."""
        return self.machines[0]

    @property
    def listed(self) -> Sequence[MachineSettings]:
        """As declared."""
        return self.machines

    @property
    def called(self) -> str:
        """Like the lab."""
        return self.lab.name

    @property
    def sites(self) -> dict[str, IPv4Network]:
        """The LANs, by name."""
        return {HOME: self.lab.range, **{site.name: site.range for site in self.lab.sites}}

    def lan(self, machine: MachineSettings) -> IPv4Address:
        """By its number."""
        return self.sites[machine.site][FIRST_ADDRESS + machine.number]

    def networks(self) -> dict[str, IPv4Network]:
        """The lab's."""
        return {
            "homespun:lab.range": self.lab.range,
            **{f"homespun:lab.sites: {site.name}": site.range for site in self.lab.sites},
        }

    def contradictions(self) -> list[str]:
        """Of the lab's too."""
        sites = (SiteSettings(name=HOME, bridge=self.lab.bridge, range=self.lab.range), *self.lab.sites)
        return [
            *super().contradictions(),
            *doubles("lab.sites", "name", sites),
            *doubles("lab.sites", "bridge", sites),
            *self._lengths(),
        ]

    def _lengths(self) -> list[str]:
        """A machine's cable is called after lab and machine, in the 15 bytes that Linux has for it (vb-lab-machine)."""
        return [
            f"{PREFIX}machines: {one.name}: name: expected at most {11 - len(self.lab.name)} letters beside the lab's"
            f" {self.lab.name}, got {len(one.name)}"
            for one in self.machines
            if len(self.lab.name) + len(one.name) > 11
        ]

    def _room(self) -> int:
        smallest = min(network.num_addresses for network in self.sites.values())
        return min(super()._room(), smallest - FIRST_ADDRESS - 1)

    def _places(self) -> list[str]:
        wrong = [
            f"{PREFIX}machines: {one.name}: site: expected one of {', '.join(self.sites)}, got {one.site}"
            for one in self.machines
            if one.site not in self.sites
        ]
        return [*wrong, *super()._places()]


class HomeMeshSettings(MeshSettings):
    """What joins sites that are behind routers of their own."""

    address: Address | None = None
    """Where machines of other sites reach the first one's headscale: at its router's, if not at its own."""

    @property
    def foreign(self) -> frozenset[str]:
        """With Tailscale's, nobody has to find the first machine."""
        return super().foreign | ({"address"} if self.at_tailscale else frozenset())


class HomeBase(BaseSettings):
    """Machines of one's own."""

    environment: Literal["home"]
    name: Annotated[str, word(NAME_LETTERS)] = "home"
    """Of the cluster."""
    mesh: HomeMeshSettings = Field(default_factory=HomeMeshSettings)
    machines: Annotated[tuple[HomeMachineSettings, ...], LISTED, Field(min_length=1)]
    rented: Annotated[tuple[RentedSettings, ...], LISTED] = ()
    vast: VastSettings | None = None
    """None: nothing is rented."""

    @property
    def first(self) -> HomeMachineSettings:
        """As declared."""
        return self.machines[0]

    @property
    def listed(self) -> Sequence[HomeMachineSettings | RentedSettings]:
        """As declared, one's own first."""
        return (*self.machines, *self.rented)

    @property
    def called(self) -> str:
        """As declared."""
        return self.name

    def lan(self, machine: MachineSettings) -> IPv4Address:
        """As declared."""
        return next(one.address for one in self.machines if one.name == machine.name)

    @property
    def control_address(self) -> IPv4Address:
        """As declared, or the first machine's own."""
        return self.mesh.address or super().control_address

    def over_the_mesh(self, name: str) -> dict[str, IPv4Network]:
        """The LAN addresses at which that machine reaches others over the mesh, by the settings."""
        beside = self.beside_the_first
        if name in beside:
            return {}
        return {f"{PREFIX}machines: {one}": IPv4Network(address) for one, address in beside.items()}

    def networks(self) -> dict[str, IPv4Network]:
        """The machines' own addresses: how large their LANs are, they say themselves."""
        own = {f"{PREFIX}machines: {one.name}": IPv4Network(one.address) for one in self.machines}
        elsewhere = self.control_address not in [one.address for one in self.machines]
        return {**own, **({f"{PREFIX}mesh.address": IPv4Network(self.control_address)} if elsewhere else {})}

    def contradictions(self) -> list[str]:
        """Of the machines' addresses too, and of what is rented."""
        return [
            *super().contradictions(),
            *doubles("machines", "address", self.machines),
            *self._sites(),
            *self._rented(),
        ]

    def _overlaps(self) -> list[str]:
        return super()._overlaps() if not doubles("machines", "address", self.machines) else []

    def _sites(self) -> list[str]:
        """Machines of one site reach each other on its LAN; at the first one the API server has no other address."""
        sites = Counter(one.site for one in self.listed)
        first = self.first.site
        wrong = [
            f"{PREFIX}machines: {one.name}: address: expected a private IPv4 address, of the LAN of its site"
            f" ({one.site}), got {one.address}"
            for one in self.machines
            if (one.site == first or sites[one.site] > 1) and not one.address.is_private
        ]
        if self.mesh.address and len(sites) == 1 and not self.mesh.at_tailscale:
            wrong.append(
                f"{PREFIX}mesh.address: expected none where all machines are at one site, got {self.mesh.address}"
            )
        return wrong

    def _rented(self) -> list[str]:
        """What is rented has to be paid for by somebody, and to find the way here."""
        if not self.rented:
            return []
        wrong = [
            f"{PREFIX}rented: {one.name}: name: expected none of a site's, got it of one"
            for one in self.rented
            if one.site in [machine.site for machine in self.machines]
        ]
        most = sum(one.max_usd_per_hour for one in self.rented)
        if self.vast is None or self.vast.max_usd_per_hour < most:
            got = self.vast.max_usd_per_hour if self.vast else "none"
            wrong.append(
                f"{PREFIX}vast.maxUsdPerHour: expected at least the {most} that {PREFIX}rented may cost, got {got}"
            )
        if not self.mesh.at_tailscale and self.mesh.address is None and self.first.address.is_private:
            wrong.append(
                f"{PREFIX}mesh.address: expected where rented machines reach the first one (its router's public"
                " address), got none"
            )
        return wrong
