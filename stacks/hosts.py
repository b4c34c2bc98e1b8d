"""A machine set up as a node-to-be, as a Pulumi resource: facts in, desired state out, Ansible in between.

The state's digests are the resource's inputs, so that a preview names the file, unit or image that changes, and a
refresh the one that drifted.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Final

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

from homespun.hosts import apply, facts, headscale, mesh, state
from homespun.hosts.apply import Obsolete
from homespun.hosts.cluster import Cluster, Member, Mesh
from homespun.hosts.errors import HostError, OffError, RefusedError, UnreachableError
from homespun.hosts.facts import Facts
from homespun.hosts.files import Artifact
from homespun.hosts.ssh import Connection
from homespun.hosts.state import HostState
from stacks import progress
from stacks.cluster import images
from tools.environments import environment
from tools.obtain import architecture, obtain
from tools.table import COREDNS_VERSION, ETCD_VERSION, KUBERNETES_VERSION, named

FOUND: Final = frozenset({"facts", "digests"})
"""What `check` adds to what the program says."""
DRIFTED: Final = "drifted"
"""Stands for the digest of what was found changed on the machine."""
NEEDED: Final = frozenset(
    {*state.RUNTIME_BINARIES, *state.KUBERNETES_BINARIES, *state.CNI_PLUGINS, "etcd", "coredns", "kube-apiserver",
     "kube-controller-manager", "kube-scheduler", "kube-proxy"}
)  # fmt: skip


def connection(properties: dict[str, Any]) -> Connection:
    """From a resource's properties, in which every number is a float."""
    return Connection(**{**properties, "port": int(properties["port"])})


def cluster(properties: dict[str, Any]) -> Cluster:
    """From a resource's properties."""
    ranges = {name: IPv4Network(properties[name]) for name in ("pod_range", "service_range")}
    return Cluster(**{**properties, **ranges})


def cluster_properties(value: Cluster) -> dict[str, Any]:
    """What `cluster` reads."""
    return {name: str(field) for name, field in vars(value).items()}


def elsewhere(olds: dict[str, Any], news: dict[str, Any], name: str = "connection") -> bool:
    """Whether what a resource was made on is another machine now, or one that is yet to be made.

    A machine is the one that it was if its address is, and its pinned host key.
    """
    reached, before = news.get(name), olds.get(name) or {}
    return not isinstance(reached, dict) or any(
        reached.get(what) != before.get(what) for what in ("address", "known_hosts")
    )


def is_off(error: HostError, olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether a machine is only off, and the one that a resource was made on."""
    return isinstance(error, OffError) and not elsewhere(olds, news)


@contextlib.contextmanager
def gone_if_off(what: str) -> Iterator[None]:
    """Within, a machine that does not answer costs a warning, which ends with `what` that means."""
    try:
        yield
    except UnreachableError as error:
        pulumi.log.warn(f"{error}; {what}")


def member(properties: dict[str, Any]) -> Member:
    """From a resource's properties."""
    read = {"lan": IPv4Address, "address": IPv4Address, "pods": IPv4Network}
    given = {name: read.get(name, str)(value) for name, value in properties.items() if value is not None}
    return Member(**{"lan": None, **given})  # of an object in an object the engine drops what is null


def member_properties(value: Member) -> dict[str, Any]:
    """What `member` reads."""
    return {name: None if field is None else str(field) for name, field in vars(value).items()}


def joined(properties: dict[str, Any]) -> Mesh:
    """From a resource's properties, in which every number is a float."""
    port, inside = properties.get("headscale_port"), IPv4Address(properties["inside"])
    return Mesh(**{**properties, "inside": inside, "headscale_port": None if port is None else int(port)})


def joined_properties(value: Mesh) -> dict[str, Any]:
    """What `joined` reads."""
    return {**vars(value), "inside": str(value.inside)}


def wanted(props: dict[str, Any], found: Facts) -> HostState:
    """What ought to be on the machine: the pure function, given the files of this box."""
    by = joined(props["mesh"]) if props.get("mesh") else None
    ours = headscale.BINARIES if by and by.headscale_port else ()
    needed = (*NEEDED, *(mesh.BINARIES if by else ()), *ours)
    tools = {name: tool(name) for name in needed}
    recipes = images.recipes(tools, KUBERNETES_VERSION, ETCD_VERSION, COREDNS_VERSION)
    built = tuple(images.build(recipe, architecture()) for recipe in recipes)
    artifacts = {name: Artifact(str(path), images.sha256(path)) for name, path in tools.items()}
    others = tuple(map(member, props["others"]))
    return state.desired(member(props["member"]), others, found, cluster(props["cluster"]), by, artifacts, built)


def tool(name: str) -> Path:
    """A command of the table; `make up` has obtained it before, with progress of its own."""
    return obtain(named(name), lambda what, percent: None)


class HostProvider(ResourceProvider):
    """Carries out a host's state."""

    serialize_as_secret_always = False

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Read the facts and compute the state, in previews too; refuse here, before anything is touched.

        A machine that is yet to be made (its connection is unknown) has neither. One that was set up and is off keeps
        what it had, until an `up` finds it on; the control plane's has to be on.
        """
        if not isinstance(news.get("connection"), dict):
            return CheckResult(news, [])
        try:
            found = facts.read(connection(news["connection"]))
        except UnreachableError as error:
            if is_off(error, olds, news) and set(olds) >= FOUND and news["member"]["role"] != "control-plane":
                pulumi.log.warn(f"{error}; it stays as it was, and the next `up` that finds it on sees to it")
                return CheckResult({**news, **{name: olds[name] for name in FOUND}}, [])
            failure = CheckFailure(
                "connection",
                f"{error}; a lab's machine is started by `make up`; switch another on, or take it out of the settings",
            )
            return CheckResult(news, [failure])
        ranges, apart = (_ranges(news[name]) for name in ("ranges", "apart"))
        if wrong := facts.in_the_way(found, news["cluster"]["name"], ranges, apart):
            return CheckResult(news, [CheckFailure("connection", f"{news['connection']['address']}: {line}")
                                      for line in wrong])  # fmt: skip
        return CheckResult({**news, "facts": _facts(found), "digests": wanted(news, found).digests()}, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """What differs is changed in place; facts alone (a newer kernel) change nothing."""
        other_machine = elsewhere(olds, news)
        changed = olds.get("digests") != news.get("digests")
        replaces = ["connection"] if other_machine else []
        return DiffResult(changes=changed or other_machine, replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Bring the machine to its state; if that fails half-way, take away what came."""
        try:
            self._apply(props, Obsolete())
        except RefusedError:  # nothing came, so nothing is to be taken away
            raise
        except Exception:
            self._remove(props)
            raise
        return CreateResult(f"{props['connection']['address']}", props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: Ansible in check mode; what it would change has drifted. A machine that is off tells nothing."""
        reached = connection(props["connection"])
        try:
            found = facts.read(reached)
        except UnreachableError:
            return ReadResult(id_, props)
        if not found.ours:
            return ReadResult("", {})
        if "member" not in props:  # recorded before a machine knew of others: the next `up` sees to it
            return ReadResult(id_, props)
        target = wanted(props, found)
        report = apply.apply(reached, target, Obsolete(), _interpreter(), _tell, check=True)
        digests = {
            name: DRIFTED if name.split(" ", 1)[1] in report.changed else digest
            for name, digest in props["digests"].items()
        }
        return ReadResult(id_, {**props, "digests": digests})

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Bring the machine to its new state; files and units of ours that are no longer wanted go."""
        gone = sorted(set(olds["digests"]) - set(news["digests"]))
        files, units = (
            tuple(name.removeprefix(kind) for name in gone if name.startswith(kind)) for kind in ("file ", "unit ")
        )
        self._apply(news, Obsolete(files, units))
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Take away what is ours. Not asked where the machine itself goes (`deleted_with`)."""
        with gone_if_off("what is ours stays on it"):
            self._remove(props)

    def _apply(self, props: dict[str, Any], obsolete: Obsolete) -> None:
        reached = connection(props["connection"])
        with progress.stage("host", "facts"):
            target = wanted(props, facts.read(reached))
            apply.apply(reached, target, obsolete, _interpreter(), _tell)

    def _remove(self, props: dict[str, Any]) -> None:
        reached = connection(props["connection"])
        apply.remove(reached, wanted(props, facts.read(reached)), _interpreter(), _tell)


class Host(Resource, module="homespun", name="Host"):
    """A machine with a container runtime, a kubelet and what they need, in our own prefix."""

    facts: pulumi.Output[dict[str, Any]]

    def __init__(
        self,
        name: str,
        connection: pulumi.Input[dict[str, Any]],
        member: Member,
        others: Iterable[Member],
        cluster: Cluster,
        mesh: Mesh | None,
        opts: pulumi.ResourceOptions,
        *,
        ranges: Mapping[str, IPv4Network],
        apart: Mapping[str, IPv4Network],
    ) -> None:
        """`others` are the further members of the cluster; `mesh` joins its sites, where it has several.

        `ranges` and `apart` are what the machine may have no other way into (`facts.in_the_way`), by their settings.
        """
        inputs = {
            "connection": connection,
            "member": member_properties(member),
            "others": [member_properties(one) for one in others],
            "cluster": cluster_properties(cluster),
            "mesh": joined_properties(mesh) if mesh else None,
            "ranges": {name: str(network) for name, network in ranges.items()},
            "apart": {name: str(network) for name, network in apart.items()},
            "facts": None,
            "digests": None,
        }
        super().__init__(HostProvider(), name, inputs, opts)


def _ranges(properties: dict[str, str]) -> dict[str, IPv4Network]:
    return {name: IPv4Network(network) for name, network in properties.items()}


def _facts(found: Facts) -> dict[str, Any]:
    """What of the facts a later resource decides by, and what is worth to be seen."""
    names = ("os", "os_version", "architecture", "cgroup_version", "may_lower_oom_score", "page_size")
    return {name: getattr(found, name) for name in names}


def _interpreter() -> Path:
    return environment("hosts") / "bin/python"


def _tell(task: str) -> None:
    progress.tell("host", task)
