"""Which resources a stack is made of."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from homespun.hosts import state
from homespun.hosts.cluster import Cluster
from stacks.cluster.kubeconfig import identifier
from stacks.cluster.resource import KubernetesCluster
from stacks.hosts import Host
from stacks.machines.lab import LabMachine
from stacks.machines.network import Network
from stacks.platform.images import MachineImages, RegistryImages
from stacks.platform.manifests import LocalVolumes, Platform, manifests, outlives
from stacks.settings import BASE, BaseSettings, GivenPlatform, LabPlatform, PlatformSettings
from tools import jobset
from tools.images import build
from tools.table import JOBSET_IMAGE, KUBERNETES_VERSION

MACHINE: Final = "m0"
FIRST_ADDRESS: Final = 10
"""The first machine's place in the lab's network; below it is room for the box and what it may bring."""
LAB_SIZE: Final = "5Gi"
"""What a volume of a lab says of its size: it is a folder, and may take what the machine has."""
POD_PREFIX: Final = 24
"""Each machine gets a part of this size of the pods' range."""


def base(settings: BaseSettings) -> None:
    """machine → host → cluster; outputs: `kubeconfig`, a secret, and how the node is reached."""
    lab = settings.lab
    network = Network(lab.name, lab.bridge, lab.range)
    address = lab.range[FIRST_ADDRESS]
    machine = LabMachine(MACHINE, network, address)
    gone_with_it = pulumi.ResourceOptions(parent=machine, deleted_with=machine)
    cluster = plan(settings)
    host = Host(MACHINE, machine.connection, "control-plane", cluster, first_pods(settings), gone_with_it)
    version = host.facts.apply(lambda facts: int(facts["cgroup_version"]))
    after_host = pulumi.ResourceOptions.merge(gone_with_it, pulumi.ResourceOptions(depends_on=[host]))
    made = KubernetesCluster(cluster, MACHINE, machine.connection, version, after_host)
    pulumi.export("address", str(address))
    pulumi.export("node", MACHINE)
    pulumi.export("connection", machine.connection)
    pulumi.export("kubeconfig", made.kubeconfig)


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
    target = _lab(settings, stack) if isinstance(settings, LabPlatform) else _given(settings)
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
    kubernetes.yaml.v2.ConfigGroup(
        "platform",
        objs=objects.apply(lambda all_: [one for one in all_ if not outlives(one)]),
        opts=pulumi.ResourceOptions(providers=[provider], depends_on=[kept, *target.images]),
    )
    pulumi.export("gateway", target.platform.apply(lambda one: one.gateway_url))
    pulumi.export("vectors", target.platform.apply(lambda one: one.vectors_url))
    pulumi.export("page", target.platform.apply(lambda one: one.page_url))


def _retain(given: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
    """Keep an object where its resource goes. A group does not hand `retain_on_delete` on to its objects."""
    retained = pulumi.ResourceOptions(retain_on_delete=True)
    return pulumi.ResourceTransformResult(given.props, pulumi.ResourceOptions.merge(given.opts, retained))


def _lab(settings: LabPlatform, stack: str) -> Target:
    """The base stack's cluster: images go to its machine, the models' claim is a folder there."""
    base = pulumi.StackReference(f"organization/{pulumi.get_project()}/{stack}{BASE}")
    kubeconfig = base.require_output("kubeconfig")
    cluster = pulumi.Output.unsecret(kubeconfig.apply(identifier))
    references = build.references()
    images = MachineImages("images", base.require_output("connection"), cluster, references)
    described = pulumi.Output.all(base.require_output("address"), base.require_output("node")).apply(
        lambda found: _platform(settings, found[0], references, LocalVolumes(found[1], state.VOLUMES))
    )
    return Target(kubeconfig, None, cluster, described, [images], gone_if_silent=True)


def _given(settings: GivenPlatform) -> Target:
    """A cluster that was there before: images by a registry, or brought by its owner; claims by its storage class.

    Its context's name is what tells it from another: its owner may renew its authority and its credentials.
    """
    references = build.references()
    images: list[pulumi.Resource] = []
    if settings.images.registry:
        references = {name: f"{settings.images.registry}/{_last(one)}" for name, one in references.items()}
        images.append(RegistryImages("images", references))
    described = pulumi.Output.from_input(_platform(settings, settings.address, references, None))
    kubeconfig = str(settings.kubeconfig)
    return Target(kubeconfig, settings.context, settings.context, described, images, gone_if_silent=False)


def _platform(
    settings: PlatformSettings, address: str, references: dict[str, str], volumes: LocalVolumes | None
) -> Platform:
    return Platform(
        namespace=settings.namespace,
        address=address,
        images={"jobset": JOBSET_IMAGE, **references},
        gateway_port=settings.gateway_port,
        page_port=settings.page_port,
        vectors_port=settings.vectors_port,
        models_size=settings.models_size if isinstance(settings, GivenPlatform) else LAB_SIZE,
        vectors_size=settings.vectors_size if isinstance(settings, GivenPlatform) else LAB_SIZE,
        data_size=settings.data_size if isinstance(settings, GivenPlatform) else LAB_SIZE,
        jobset=() if isinstance(settings, GivenPlatform) and settings.jobset == "present" else tuple(jobset.parts()),
        volumes=volumes,
    )


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def plan(settings: BaseSettings) -> Cluster:
    """The cluster that a base stack's settings describe."""
    lab = settings.lab
    return Cluster(
        name=lab.name,
        kubernetes_version=KUBERNETES_VERSION,
        endpoint=f"api.{lab.name}.internal",
        endpoint_address=str(lab.range[FIRST_ADDRESS]),
        pod_range=settings.cluster.pod_range,
        service_range=settings.cluster.service_range,
    )


def first_pods(settings: BaseSettings) -> IPv4Network:
    """The first machine's part of the pods' range."""
    return next(settings.cluster.pod_range.subnets(new_prefix=max(POD_PREFIX, settings.cluster.pod_range.prefixlen)))
