"""Which resources a stack is made of."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from homespun.hosts import layout, share
from homespun.hosts.cluster import Cluster, Member, Mesh
from stacks.cluster.kubeconfig import identifier
from stacks.cluster.node import ClusterNode
from stacks.cluster.resource import KubernetesCluster
from stacks.cluster.share import Share
from stacks.hosts import Host
from stacks.machines import own, sites
from stacks.machines.lab import LabMachine
from stacks.machines.own import OwnMachine
from stacks.machines.vast import RentedMachine
from stacks.mesh.device import Device
from stacks.mesh.headscale import Headscale
from stacks.mesh.names import Names
from stacks.mesh.tailscale import Tailscale
from stacks.platform import ingress
from stacks.platform.authority import Authority
from stacks.platform.images import MachineImages, RegistryImages
from stacks.platform.ingress import Ingress
from stacks.platform.manifests import SYSTEM, Platform, manifests, outlives, upstreams, way_in
from stacks.settings import BASE, BaseSettings, GivenPlatform, HomeBase, LabBase, OwnBase, OwnPlatform, PlatformSettings
from stacks.settings.platform_stack import IngressSettings
from tools import jobset
from tools.images import build
from tools.table import JOBSET_IMAGE, KUBERNETES_VERSION

AnyMachine = LabMachine | OwnMachine | RentedMachine
RENTED: Final = "homespun.dev/rented"
"""The taint of a rented node: only what tolerates it is placed there."""
PRICE: Final = "homespun.dev/usd-per-hour"
"""The label that says what a rented node costs."""
FOLDER_SIZE: Final = "5Gi"
"""What a volume says of its size that is a folder of a machine: it may take what the machine has."""


def base(settings: OwnBase) -> None:
    """machines → hosts → mesh → cluster → nodes; outputs: `kubeconfig`, a secret, and how the nodes are reached."""
    cluster = plan(settings)
    made_of = _lab_machines(settings) if isinstance(settings, LabBase) else _own_machines(settings)
    machines = [_machine(settings, one, made_of[one.name], cluster) for one in settings.members]
    first, *others = machines
    opts = first.goes_with_it(_joined(settings, machines) or [first.host])
    holds = {share.HOLDS: "", share.SEES: first.member.name}
    made = KubernetesCluster(cluster, first.member.name, first.connection, first.cgroup_version, opts, labels=holds)
    authority = pulumi.Output.unsecret(made.kubeconfig.apply(identifier))
    for one in others:
        # Not gone with its machine: the cluster has to forget it. With the cluster it goes where its machine does.
        opts = pulumi.ResourceOptions(
            parent=one.resource, deleted_with=made if one.is_ours else None, depends_on=[one.host, made]
        )
        labels = one.labels
        if one.member.shares_lan(first.member):
            # Before it is a node, and until it is none any more: pods write to it.
            shared = Share(one.name, one.member.name, cluster, first.connection, one.connection, opts)
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[shared]))
            labels = {**labels, share.SEES: one.member.name}
        ClusterNode(
            one.name, one.member, cluster, authority, first.connection, one.connection, one.cgroup_version, opts,
            taints=[RENTED] if one.is_rented else [], labels=labels,
        )  # fmt: skip
    pulumi.export("address", str(settings.lan(settings.first)))
    pulumi.export("connections", {one.member.name: one.connection for one in machines if not one.is_rented})
    pulumi.export("seeing", [one.member.name for one in machines if one.member.shares_lan(first.member)])
    pulumi.export("kubeconfig", made.kubeconfig)


@dataclass(frozen=True)
class Machine:
    """A machine that is ready to be a node."""

    name: str
    """Of its resources: a lab's machine has a name, one's own has an address, and a name that may change."""
    member: Member
    resource: AnyMachine
    host: Host

    @property
    def is_ours(self) -> bool:
        """Whether it goes, with all that is on it, when it is destroyed."""
        return _is_ours(self.resource)

    @property
    def is_rented(self) -> bool:
        """Whether it may go at any time, and is far away: what is not sent there on purpose is kept off it."""
        return isinstance(self.resource, RentedMachine)

    @property
    def labels(self) -> dict[str, pulumi.Input[str]]:
        """Of its node."""
        return {PRICE: self.resource.usd_per_hour} if isinstance(self.resource, RentedMachine) else {}

    def goes_with_it(self, after: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Of what is on it: nobody needs to take it off a machine that goes itself."""
        return _goes_with(self.resource, after)

    @property
    def connection(self) -> pulumi.Output[dict[str, Any]]:
        """How it is reached."""
        return self.resource.connection

    @property
    def cgroup_version(self) -> pulumi.Output[int]:
        """1 or 2."""
        return self.host.facts.apply(lambda facts: int(facts["cgroup_version"]))


def _is_ours(machine: AnyMachine) -> bool:
    return not isinstance(machine, OwnMachine)


def _goes_with(machine: AnyMachine, after: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
    with_it = machine if _is_ours(machine) else None
    return pulumi.ResourceOptions(parent=machine, deleted_with=with_it, depends_on=list(after))


def _lab_machines(settings: LabBase) -> dict[str, AnyMachine]:
    networks = sites.networks(settings)
    return {one.name: LabMachine(one.name, networks[one.site], settings.lan(one)) for one in settings.machines}


def _own_machines(settings: HomeBase) -> dict[str, AnyMachine]:
    own.pin(settings)
    there = {name: OwnMachine(reached.address, reached) for name, reached in own.connections(settings).items()}
    if not settings.vast:
        return {**there}
    rented = {one.name: RentedMachine(one, settings.vast, settings) for one in settings.rented}
    if rented:
        pulumi.export("rented", {name: machine.usd_per_hour for name, machine in rented.items()})
    return {**there, **rented}


def _machine(settings: BaseSettings, member: Member, machine: AnyMachine, cluster: Cluster) -> Machine:
    others = [one for one in settings.members if one != member]
    name = machine.address if isinstance(machine, OwnMachine) else member.name
    host = Host(
        name, machine.connection, member, others, cluster, settings.joined, _goes_with(machine),
        ranges=settings.cluster.ranges, apart=settings.over_the_mesh(member.name),
    )  # fmt: skip
    return Machine(name, member, machine, host)


def _joined(settings: BaseSettings, machines: list[Machine]) -> list[pulumi.Resource]:
    """The machines as devices of one tailnet; [] where none is needed."""
    if settings.joined is None:
        return []
    tailnet = _tailnet(settings, settings.joined, machines[0])
    goes = tailnet if isinstance(tailnet, Headscale) else None  # Tailscale's stays, and has to forget each device
    devices = [
        Device(
            one.member.name,
            tailnet,
            one.connection,
            one.is_rented,
            pulumi.ResourceOptions(parent=one.resource, deleted_with=goes, depends_on=[one.host, tailnet]),
        )
        for one in machines
    ]
    if isinstance(tailnet, Tailscale) and settings.joined.domain:
        Names(tailnet.url, settings.joined.domain, devices[0].addresses, pulumi.ResourceOptions(parent=tailnet))
    return [*devices]


def _tailnet(settings: BaseSettings, joined: Mesh, first: Machine) -> Headscale | Tailscale:
    if settings.mesh.at_tailscale:
        return Tailscale(
            joined.control_url,
            settings.called,
            settings.carried,
            named=bool(joined.domain),
            adopt=settings.mesh.adopt,
        )
    return Headscale(joined.control_url, first.connection, settings.carried, first.goes_with_it([first.host]))


@dataclass(frozen=True)
class Target:
    """The cluster that a platform goes onto."""

    kubeconfig: pulumi.Input[str]
    context: str | None
    """None: the one that the kubeconfig selects."""
    identifier: pulumi.Input[str]
    """Another one, another cluster: everything is made anew there."""
    platform: pulumi.Output[Platform]
    images: list[pulumi.Resource]
    """What has to have come before pods can start."""
    gone_if_silent: bool
    """Whether a cluster that does not answer any more is gone, with all that was in it."""


def platform(settings: PlatformSettings, stack: str) -> None:
    """images → objects; outputs: `gateway`, `page`, their addresses."""
    target = _own(settings, stack) if isinstance(settings, OwnPlatform) else _given(settings)
    provider = kubernetes.Provider(
        "cluster",
        kubeconfig=target.kubeconfig,
        context=target.context,
        cluster_identifier=target.identifier,
        upsert_existing_objects=True,
        enable_patch_force=True,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        delete_unreachable=target.gone_if_silent,
    )
    objects = target.platform.apply(manifests)
    kept = kubernetes.yaml.v2.ConfigGroup(
        "kept",
        objs=objects.apply(lambda all_: [one for one in all_ if outlives(one)]),
        opts=pulumi.ResourceOptions(providers=[provider], transforms=[_retain]),
    )
    ours = kubernetes.yaml.v2.ConfigGroup(
        "platform",
        objs=objects.apply(lambda all_: [one for one in all_ if not outlives(one)]),
        opts=pulumi.ResourceOptions(providers=[provider], depends_on=[kept, *target.images]),
    )
    if settings.ingress:
        _ingress(settings.ingress, target, provider, [ours])
    pulumi.export("address", target.platform.apply(lambda one: one.address))
    pulumi.export("gateway", target.platform.apply(lambda one: one.gateway_url))
    pulumi.export("vectors", target.platform.apply(lambda one: one.vectors_url))
    pulumi.export("page", target.platform.apply(lambda one: one.page_url))


def _ingress(
    settings: IngressSettings, target: Target, provider: kubernetes.Provider, after: list[pulumi.Resource]
) -> None:
    """The way in by TLS; output: `authority`, the certificate that clients are to trust."""
    authority = Authority("ingress", settings.domain)
    secret = kubernetes.core.v1.Secret(
        ingress.AUTHORITY,
        metadata={"name": ingress.AUTHORITY, "namespace": SYSTEM},
        type="kubernetes.io/tls",
        data={"tls.crt": authority.certificate.apply(_base64), "tls.key": authority.key.apply(_base64)},
        opts=pulumi.ResourceOptions(provider=provider, depends_on=after),
    )
    kubernetes.yaml.v2.ConfigGroup(
        "ingress",
        objs=pulumi.Output.all(target.platform, authority.certificate).apply(lambda known: way_in(*known)),
        opts=pulumi.ResourceOptions(providers=[provider], depends_on=[secret]),
    )
    pulumi.export("authority", authority.certificate)


def _retain(given: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
    """Keep an object where its resource goes. A group does not hand `retain_on_delete` on to its objects.

    Where a volume may be had can't be changed: one of an earlier version is had on the first machine alone.
    """
    fixed = ["spec.nodeAffinity"] if given.type_.endswith(":PersistentVolume") else []
    retained = pulumi.ResourceOptions(retain_on_delete=True, ignore_changes=fixed)
    return pulumi.ResourceTransformResult(given.props, pulumi.ResourceOptions.merge(given.opts, retained))


def _own(settings: OwnPlatform, stack: str) -> Target:
    """The base stack's cluster: images go to its machines, claims are folders on the first one."""
    base = pulumi.StackReference(f"organization/{pulumi.get_project()}/{stack}{BASE}")
    kubeconfig = base.require_output("kubeconfig")
    cluster = pulumi.Output.unsecret(kubeconfig.apply(identifier))
    references = build.references(settings.ingress is not None)
    connections, seeing = base.require_output("connections"), base.require_output("seeing")
    images = MachineImages("images", connections, seeing, cluster, references)
    described = base.require_output("address").apply(
        lambda address: _platform(settings, address, references, layout.VOLUMES)
    )
    return Target(kubeconfig, None, cluster, described, [images], gone_if_silent=True)


def _given(settings: GivenPlatform) -> Target:
    """A cluster that was there before: images by a registry, or brought by its owner; claims by its storage class.

    Its context's name is what tells it from another: its owner may renew its authority and its credentials.
    """
    references = build.references(settings.ingress is not None)
    images: list[pulumi.Resource] = []
    if settings.images.registry:
        references = {name: f"{settings.images.registry}/{_last(one)}" for name, one in references.items()}
        images.append(RegistryImages("images", references))
    described = pulumi.Output.from_input(_platform(settings, settings.address, references, None))
    kubeconfig = str(settings.kubeconfig)
    return Target(kubeconfig, settings.context, settings.context, described, images, gone_if_silent=False)


def _platform(settings: PlatformSettings, address: str, references: dict[str, str], volumes: str | None) -> Platform:
    return Platform(
        namespace=settings.namespace,
        address=address,
        images={"jobset": JOBSET_IMAGE, **references},
        gateway_port=settings.gateway_port,
        page_port=settings.page_port,
        vectors_port=settings.vectors_port,
        models_size=settings.models_size if isinstance(settings, GivenPlatform) else FOLDER_SIZE,
        vectors_size=settings.vectors_size if isinstance(settings, GivenPlatform) else FOLDER_SIZE,
        data_size=settings.data_size if isinstance(settings, GivenPlatform) else FOLDER_SIZE,
        ingress=Ingress(
            settings.ingress.domain,
            settings.ingress.port,
            upstreams({one.name: one.upstream for one in settings.ingress.services}),
        )
        if settings.ingress
        else None,
        jobset=() if isinstance(settings, GivenPlatform) and settings.jobset == "present" else tuple(jobset.parts()),
        volumes=volumes,
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def plan(settings: BaseSettings) -> Cluster:
    """The cluster that a base stack's settings describe."""
    return Cluster(
        name=settings.called,
        kubernetes_version=KUBERNETES_VERSION,
        endpoint=f"api.{settings.called}.internal",
        endpoint_address=str(settings.lan(settings.first)),
        pod_range=settings.cluster.pod_range,
        service_range=settings.cluster.service_range,
    )
