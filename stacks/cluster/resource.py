"""A cluster as a Pulumi resource: a thin shell over `bootstrap`. Its kubeconfig is a secret output."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from homespun.hosts.cluster import Cluster
from stacks import hosts, progress
from stacks.cluster import bootstrap
from stacks.cluster.kubeadm import NodeRegistration


class ClusterProvider(ResourceProvider):
    """Makes a cluster on its first machine by kubeadm."""

    serialize_as_secret_always = False

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse what is not there yet: an upgrade in place, which a replacement would be mistaken for."""
        before, after = olds.get("cluster"), news.get("cluster")
        if isinstance(before, dict) and isinstance(after, dict):
            old, new = before["kubernetes_version"], after["kubernetes_version"]
            if old != new:
                reason = f"expected Kubernetes {old}, got {new}: upgrades don't work yet; `make down` and `make up`"
                return CheckResult(news, [CheckFailure("cluster", reason)])
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Names and ranges of a cluster can't be changed once it is there: another is made in its place."""
        changed = [name for name in ("cluster", "node") if olds.get(name) != news.get(name)]
        changed += ["connection"] if hosts.elsewhere(olds, news) else []
        return DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """kubeadm init, and wait for the node to be Ready; a failure leaves the machine as before."""
        reached = hosts.connection(props["connection"])
        node = NodeRegistration(props["node"], reached.address, int(props["cgroup_version"]), labels=props["labels"])
        with progress.stage("cluster", "kubeadm init"):
            kubeconfig = bootstrap.init(reached, hosts.cluster(props["cluster"]), node)
            progress.tell("cluster", "node Ready")
            bootstrap.wait_ready(kubeconfig, node.name, hosts.tool("kubectl"))
        return CreateResult(props["cluster"]["name"], {**props, "kubeconfig": kubeconfig})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: gone if kubeadm never came to its end there. A machine that is off tells nothing."""
        gone = bootstrap.gone(hosts.connection(props["connection"]))
        return ReadResult("", {}) if gone else ReadResult(id_, props)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Not reached, for `diff` replaces; the engine wants the outputs whole all the same."""
        return UpdateResult({**news, "kubeconfig": olds["kubeconfig"]})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """kubeadm reset. Not asked where the machine itself goes (`deleted_with`)."""
        with hosts.gone_if_off("the cluster that was on it is taken for gone"):
            bootstrap.reset(hosts.connection(props["connection"]))


class KubernetesCluster(Resource, module="homespun", name="Cluster"):
    """A Kubernetes cluster with one control plane."""

    kubeconfig: pulumi.Output[str]

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        connection: pulumi.Input[dict[str, Any]],
        cgroup_version: pulumi.Input[int],
        opts: pulumi.ResourceOptions,
        *,
        labels: Mapping[str, str],
    ) -> None:
        """`labels` are its node's."""
        inputs = {
            "cluster": hosts.cluster_properties(cluster),
            "node": node,
            "connection": connection,
            "cgroup_version": cgroup_version,
            "labels": dict(labels),
            "kubeconfig": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"])
        super().__init__(ClusterProvider(), cluster.name, inputs, pulumi.ResourceOptions.merge(opts, secret))
