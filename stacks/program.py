"""Which resources a stack is made of."""

from ipaddress import IPv4Network
from typing import Final

import pulumi

from homespun.hosts.cluster import Cluster
from stacks.cluster.resource import KubernetesCluster
from stacks.hosts import Host
from stacks.machines.lab import LabMachine
from stacks.machines.network import Network
from stacks.settings import BaseSettings
from tools.table import KUBERNETES_VERSION

MACHINE: Final = "m0"
FIRST_ADDRESS: Final = 10
"""The first machine's place in the lab's network; below it is room for the box and what it may bring."""
POD_PREFIX: Final = 24
"""Each machine gets a part of this size of the pods' range."""


def base(settings: BaseSettings) -> None:
    """machine → host → cluster; output: `kubeconfig`, a secret."""
    lab = settings.lab
    network = Network(lab.name, lab.bridge, lab.range)
    address = lab.range[FIRST_ADDRESS]
    machine = LabMachine(MACHINE, network, address)
    gone_with_it = pulumi.ResourceOptions(parent=machine, deleted_with=machine)
    cluster = plan(settings)
    host = Host(MACHINE, machine.connection, "control-plane", cluster, first_pods(settings), gone_with_it)
    version = host.facts.apply(lambda facts: int(facts["cgroup_version"]))
    after_host = pulumi.ResourceOptions.merge(gone_with_it, pulumi.ResourceOptions(depends_on=[host]))
    kubernetes = KubernetesCluster(cluster, MACHINE, machine.connection, version, after_host)
    pulumi.export("address", str(address))
    pulumi.export("kubeconfig", kubernetes.kubeconfig)


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
