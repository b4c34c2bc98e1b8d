"""The images of our programs as Pulumi resources: built here, imported over SSH by a machine, or pushed."""

from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from homespun.hosts import state
from homespun.hosts.errors import UnreachableError
from homespun.hosts.ssh import Connection
from stacks import hosts, progress
from tools.images import build
from tools.obtain import ToolError

PINNED: Final = "io.cri-containerd.pinned=pinned"
"""The kubelet removes what no pod uses when the disk gets full, but for images with this label."""


def missing(connection: Connection, references: dict[str, str]) -> set[str]:
    """Which of these are not on the machine."""
    return set(references.values()) - set(connection.run(f"{state.CTR} images ls --quiet").split())


def bring(connection: Connection, references: dict[str, str]) -> None:
    """Build what the cache lacks, import what the machine lacks. Raises HostError, ToolError."""
    with progress.stage("images", "build"):
        built = {image.reference: image for image in _built(references).values()}
        for reference in sorted(missing(connection, references)):
            progress.tell("images", f"import {reference.rpartition('/')[2]}")
            with built[reference].archive.open("rb") as archive:
                connection.send(archive, f"{state.CTR} images import --local --discard-unpacked-layers -")
        connection.run(
            " && ".join(f"{state.CTR} images label {reference} {PINNED}" for reference in references.values())
        )


def _built(references: dict[str, str]) -> dict[str, build.Image]:
    """The images by name. Raises ToolError where they are no longer those of the plan."""
    found = build.images(_tell)
    if stale := [name for name, one in references.items() if _tag(found[name].reference) != _tag(one)]:
        raise ToolError(f"images: the code of {', '.join(stale)} has changed since this began; run it again")
    return found


def _tag(reference: str) -> str:
    return reference.rpartition(":")[2]


class MachineImagesProvider(ResourceProvider):
    """Brings images to a machine; those that are no longer wanted are left to the kubelet."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another cluster's machine gets all of them anew."""
        replaces = ["cluster"] if olds.get("cluster") != news.get("cluster") else []
        changed = any(olds.get(name) != news.get(name) for name in ("references", "connection"))
        return DiffResult(changes=changed or bool(replaces), replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Build, import, pin."""
        bring(hosts.connection(props["connection"]), props["references"])
        return CreateResult(f"{props['cluster']}", props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: those that are still there. A machine that is off tells nothing."""
        try:
            gone = missing(hosts.connection(props["connection"]), props["references"])
        except UnreachableError:
            return ReadResult(id_, props)
        there = {name: reference for name, reference in props["references"].items() if reference not in gone}
        return ReadResult(id_, {**props, "references": there})

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """The new ones; of the old ones the pin goes: pods may still run from them."""
        reached = hosts.connection(news["connection"])
        bring(reached, news["references"])
        self._release(reached, set(olds["references"].values()) - set(news["references"].values()))
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """The pins go; a machine that is not there any more has none."""
        try:
            self._release(hosts.connection(props["connection"]), set(props["references"].values()))
        except UnreachableError as error:
            pulumi.log.warn(f"{error}; its images are taken for gone")

    def _release(self, connection: Connection, references: set[str]) -> None:
        label = PINNED.partition("=")[0]
        commands = [f"{state.CTR} images label {reference} {label}= || true" for reference in sorted(references)]
        if commands:
            connection.run("; ".join(commands))


class MachineImages(Resource, module="homespun", name="MachineImages"):
    """Images on a machine, by their references."""

    references: pulumi.Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        connection: pulumi.Input[dict[str, Any]],
        cluster: pulumi.Input[str],
        references: dict[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"connection": connection, "cluster": cluster, "references": references}
        super().__init__(MachineImagesProvider(), name, inputs, opts)


class RegistryImagesProvider(ResourceProvider):
    """Pushes images to a registry. What was pushed stays there: it is the user's."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Other references are pushed beside the old ones."""
        return DiffResult(changes=olds.get("references") != news.get("references"))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Build and push."""
        self._push(props["references"])
        return CreateResult("images", props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """As recorded: a registry is not asked."""
        return ReadResult(id_, props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """The new ones."""
        self._push(news["references"])
        return UpdateResult(news)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing."""

    def _push(self, references: dict[str, str]) -> None:
        with progress.stage("images", "build"):
            built = _built(references)
            for name, reference in references.items():
                progress.tell("images", f"push {reference}")
                build.push(built[name], reference)


class RegistryImages(Resource, module="homespun", name="RegistryImages"):
    """Images in a registry, by their references."""

    references: pulumi.Output[dict[str, str]]

    def __init__(self, name: str, references: dict[str, str], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(RegistryImagesProvider(), name, {"references": references}, opts)


def _tell(what: str, percent: int) -> None:
    progress.tell("images", f"{what} {percent}%")
