"""That a machine sees the claim `data`, as a Pulumi resource: a thin shell over `homespun.hosts.share`."""

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from homespun.hosts import share
from homespun.hosts.cluster import Cluster
from homespun.hosts.errors import HostError, UnreachableError
from stacks import hosts, progress


class ShareProvider(ResourceProvider):
    """Has a machine mount the first one's folder."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another node, or another first machine, is admitted anew."""
        changed = [name for name in ("cluster", "node") if olds.get(name) != news.get(name)]
        changed += [name for name in ("connection", "server") if hosts.elsewhere(olds, news, name)]
        return DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Exchange keys, and wait until it is mounted; a failure leaves the machine unadmitted."""
        reached, server = hosts.connection(props["connection"]), hosts.connection(props["server"])
        with progress.stage("nodes", f"data for {props['node']}"):
            try:
                share.admit(reached, server, props["node"], hosts.cluster(props["cluster"]))
            except HostError:
                share.dismiss(server, props["node"])
                raise
        return CreateResult(props["node"], props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: gone if either machine has forgotten the other. One that is off tells nothing."""
        reached, server = hosts.connection(props["connection"]), hosts.connection(props["server"])
        try:
            there = share.admitted(reached, server, props["node"])
        except UnreachableError:
            there = True
        return ReadResult(id_, props) if there else ReadResult("", {})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Not reached, for `diff` replaces; the engine wants the outputs whole all the same."""
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Unmounted, once the node has left, and let in no more. Not asked where the whole cluster goes."""
        reached, server = hosts.connection(props["connection"]), hosts.connection(props["server"])
        unmounted = False
        with hosts.gone_if_off("what is ours stays on it"):
            share.leave(reached)
            unmounted = True
        with hosts.gone_if_off("its folder is shown to nobody"):
            share.dismiss(server, props["node"])
            if not unmounted:  # it may be up, and in, and only not seen from here
                share.end_sessions(server)


class Share(Resource, module="homespun", name="Share"):
    """A machine's view of the folder behind the claim `data`, which is on the first one."""

    def __init__(
        self,
        name: str,
        node: str,
        cluster: Cluster,
        server: pulumi.Input[dict[str, Any]],
        connection: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`server` is how the machine that has the folder is reached."""
        inputs = {
            "node": node,
            "cluster": hosts.cluster_properties(cluster),
            "server": server,
            "connection": connection,
        }
        super().__init__(ShareProvider(), name, inputs, opts)
