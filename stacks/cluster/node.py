"""A further machine of a cluster as a Pulumi resource: a thin shell over `bootstrap`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from homespun.hosts.cluster import Cluster, Member
from stacks import hosts, progress
from stacks.cluster import bootstrap
from stacks.cluster.kubeadm import NodeRegistration

IDENTITY = ("cluster", "authority", "node", "address")


class NodeProvider(ResourceProvider):
    """Joins a machine to a cluster by kubeadm, and sends it away."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """A node of another name or another cluster is another one."""
        changed = [name for name in IDENTITY if olds.get(name) != news.get(name)]
        changed += [name for name in ("connection", "control_plane") if hosts.elsewhere(olds, news, name)]
        return DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """kubeadm join, and wait for the node to be Ready; a failure leaves the machine as before."""
        reached, control_plane = hosts.connection(props["connection"]), hosts.connection(props["control_plane"])
        version, taints, labels = int(props["cgroup_version"]), tuple(props["taints"]), props["labels"]
        node = NodeRegistration(props["node"], props["address"], version, taints, labels)
        with progress.stage("nodes", f"kubeadm join {node.name}"):
            kubeconfig, kubectl = bootstrap.kubeconfig(control_plane), hosts.tool("kubectl")
            try:
                bootstrap.join(reached, control_plane, hosts.cluster(props["cluster"]), node)
                bootstrap.wait_ready(kubeconfig, node.name, kubectl)
            except Exception:
                bootstrap.leave(kubeconfig, node.name, kubectl, alive=False)
                bootstrap.reset(reached)
                raise
        return CreateResult(node.name, props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: gone if kubeadm never came to its end there. A machine that is off tells nothing."""
        gone = bootstrap.gone(hosts.connection(props["connection"]))
        return ReadResult("", {}) if gone else ReadResult(id_, props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Not reached, for `diff` replaces; the engine wants the outputs whole all the same."""
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Cordon, drain, forget, reset. Not asked where the whole cluster goes (`deleted_with`)."""
        reached, control_plane = hosts.connection(props["connection"]), hosts.connection(props["control_plane"])
        alive = reached.answers()
        with progress.stage("nodes", f"drain {props['node']}"):
            with hosts.gone_if_off("the cluster is taken for gone"):
                kubeconfig = bootstrap.kubeconfig(control_plane)
                bootstrap.leave(kubeconfig, props["node"], hosts.tool("kubectl"), alive)
            if alive:
                bootstrap.reset(reached)
            else:
                pulumi.log.warn(f"{reached.address}: expected it to answer, it does not; what is ours stays on it")


class ClusterNode(Resource, module="homespun", name="Node"):
    """A machine that is a node of a cluster which another machine began."""

    def __init__(
        self,
        name: str,
        member: Member,
        cluster: Cluster,
        authority: pulumi.Input[str],
        control_plane: pulumi.Input[dict[str, Any]],
        connection: pulumi.Input[dict[str, Any]],
        cgroup_version: pulumi.Input[int],
        opts: pulumi.ResourceOptions,
        *,
        taints: Sequence[str] = (),
        labels: Mapping[str, pulumi.Input[str]] | None = None,
    ) -> None:
        """`authority` tells the cluster from another that was made in its place (`kubeconfig.identifier`)."""
        inputs = {
            "cluster": hosts.cluster_properties(cluster),
            "authority": authority,
            "node": member.name,
            "address": str(member.address),
            "control_plane": control_plane,
            "connection": connection,
            "cgroup_version": cgroup_version,
            "taints": list(taints),
            "labels": dict(labels or {}),
        }
        super().__init__(NodeProvider(), name, inputs, opts)
