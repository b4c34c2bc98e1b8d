"""That a machine sees the claim `data`, as a Pulumi resource: a thin shell over `homespun.hosts.share`."""

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from homespun.hosts import share
from homespun.hosts.cluster import Cluster
from homespun.hosts.errors import HostError
from stacks import hosts, progress
from stacks.cluster import bootstrap
from stacks.cluster.errors import ClusterError


class ShareProvider(ResourceProvider):
    """Has a machine mount the first one's folder, and says so in the nodes' labels, which place pods."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another node, or another first machine, is admitted anew."""
        changed = [name for name in ("cluster", "authority", "node") if olds.get(name) != news.get(name)]
        changed += [name for name in ("connection", "server") if hosts.elsewhere(olds, news, name)]
        return DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Exchange keys, and wait until it is mounted; a failure leaves the machine unadmitted."""
        reached, server = hosts.connection(props["connection"]), hosts.connection(props["server"])
        with progress.stage("nodes", f"data for {props['node']}"):
            try:
                share.admit(reached, server, props["node"], hosts.cluster(props["cluster"]))
                kubeconfig, kubectl = bootstrap.kubeconfig(server), hosts.tool("kubectl")
                bootstrap.label(kubeconfig, props["first"], {share.LABEL: share.HERE}, kubectl)
                bootstrap.label(kubeconfig, props["node"], {share.LABEL: share.MOUNTED}, kubectl)
            except (HostError, ClusterError):
                share.dismiss(server, props["node"])
                raise
        return CreateResult(props["node"], props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: gone if the first machine does not admit it. One that is off tells nothing."""
        try:
            there = share.admitted(hosts.connection(props["server"]), props["node"])
        except HostError:
            there = True
        return ReadResult(id_, props) if there else ReadResult("", {})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Not reached, for `diff` replaces; the engine wants the outputs whole all the same."""
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """No pod that wants it comes any more, then it is unmounted. Not asked where the whole cluster goes."""
        reached, server = hosts.connection(props["connection"]), hosts.connection(props["server"])
        with hosts.gone_if_off("the cluster is taken for gone"):
            bootstrap.label(bootstrap.kubeconfig(server), props["node"], {share.LABEL: None}, hosts.tool("kubectl"))
            share.dismiss(server, props["node"])
        with hosts.gone_if_off("what is ours stays on it"):
            share.leave(reached)


class Share(Resource, module="homespun", name="Share"):
    """A machine's view of the folder behind the claim `data`, which is on the first one."""

    def __init__(
        self,
        name: str,
        node: str,
        first: str,
        cluster: Cluster,
        authority: pulumi.Input[str],
        server: pulumi.Input[dict[str, Any]],
        connection: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`first` is the node that has the folder; `server` is how that machine is reached."""
        inputs = {
            "node": node,
            "first": first,
            "cluster": hosts.cluster_properties(cluster),
            "authority": authority,
            "server": server,
            "connection": connection,
        }
        super().__init__(ShareProvider(), name, inputs, opts)
