"""The images of our programs as Pulumi resources: built here, imported over SSH by a machine, or pushed."""

import contextlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from homespun.hosts import layout
from homespun.hosts.errors import OffError, UnreachableError
from homespun.hosts.ssh import Connection
from stacks import hosts, progress
from tools.images import build
from tools.images.oci import Image
from tools.obtain import ToolError

WITH_DATA: Final = frozenset({"training"})
"""What runs on machines that see the claim `data` alone: most of what all images weigh, and of no use to others."""
PINNED: Final = "io.cri-containerd.pinned=pinned"
"""The kubelet removes what no pod uses when the disk gets full, but for images with this label."""
IMPORT_SECONDS: Final = 3600
"""Of one image: some 1.5 GB with torch, on a slow network."""


@dataclass(frozen=True)
class Machine:
    """Where images are brought to."""

    connection: Connection
    references: dict[str, str]
    """Those of the images that it ought to have."""

    def missing(self) -> set[str]:
        """Which of them are not there."""
        return set(self.references.values()) - _named(self.connection)


def bring(machines: Sequence[Machine], references: dict[str, str]) -> list[str]:
    """Build what the cache lacks, import what each machine lacks; the addresses of those that are off, and still lack
    it. Raises HostError, ToolError."""
    with progress.stage("images", "build"), ThreadPoolExecutor(len(machines)) as pool:
        built = _built(references)
        wanted = [{name: built[name] for name in one.references} for one in machines]
        # Each machine has a network and a disk of its own.
        brought = list(pool.map(_import_unless_off, [one.connection for one in machines], wanted))
    return [one.connection.address for one, done in zip(machines, brought, strict=True) if not done]


def _import_unless_off(connection: Connection, images: dict[str, Image]) -> bool:
    try:
        _import(connection, images)
    except OffError as error:
        pulumi.log.warn(f"{error}; the next `up` that finds it on brings its images")
        return False
    return True


def _import(connection: Connection, images: dict[str, Image]) -> None:
    """An import that was killed leaves the image's name before its files: only what is unpacked is there."""
    named = _named(connection)
    unpacked = set(connection.run(f"{layout.CTR} snapshots ls").split())
    for image in sorted(images.values(), key=lambda image: image.reference):
        if image.reference not in named or image.chain[-1] not in unpacked:
            told = _Once(connection.address)
            write = partial(build.archive, image, without=frozenset(unpacked), progress=told.tell)
            connection.send(write, f"{layout.CTR} images import --local --discard-unpacked-layers -", IMPORT_SECONDS)
            unpacked |= set(image.chain)
    pins = [f"{layout.CTR} images label {image.reference} {PINNED}" for image in images.values()]
    connection.run(" && ".join(pins))
    _release(connection, _ours(named) - {image.reference for image in images.values()})


def _named(connection: Connection) -> set[str]:
    """The names of all images on a machine."""
    return set(connection.run(f"{layout.CTR} images ls --quiet").split())


def _ours(named: Iterable[str]) -> set[str]:
    """Those of the images' names that are of our programs, of whatever version."""
    return {one for one in named if one.startswith(f"{build.PREFIX}-")}


def _release(connection: Connection, references: set[str]) -> None:
    """The kubelet may remove them: pods may still run from them."""
    label = PINNED.partition("=")[0]
    commands = [f"{layout.CTR} images label {reference} {label}= || true" for reference in sorted(references)]
    if commands:
        connection.run("; ".join(commands))


@dataclass
class _Once:
    """Tells each tenth once."""

    address: str
    last: str = ""

    def tell(self, what: str, percent: int) -> None:
        if (line := f"import {what} on {self.address} {percent // 10 * 10}%") != self.last:
            self.last = line
            progress.tell("images", line)


def _built(references: dict[str, str]) -> dict[str, Image]:
    """The images by name. Raises ToolError where they are no longer those of the plan."""
    found = build.images(_tell, ingress=build.INGRESS in references)
    if stale := [name for name, one in references.items() if _tag(found[name].reference) != _tag(one)]:
        raise ToolError(f"images: the code of {', '.join(stale)} has changed since this began; run it again")
    return found


def _tag(reference: str) -> str:
    return reference.rpartition(":")[2]


class MachineImagesProvider(ResourceProvider):
    """Brings images to machines; those that are no longer wanted are left to the kubelet."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another cluster's machines get all of them anew."""
        replaces = ["cluster"] if olds.get("cluster") != news.get("cluster") else []
        changed = any(olds.get(name) != news.get(name) for name in ("references", "connections", "seeing"))
        changed = changed or bool(olds.get("off"))
        return DiffResult(changes=changed or bool(replaces), replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Build, import, pin."""
        return CreateResult(f"{props['cluster']}", {**props, "off": bring(_machines(props), props["references"])})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: those that are still there on all machines. One that is off tells nothing."""
        gone: set[str] = set()
        for machine in _machines(props):
            with contextlib.suppress(UnreachableError):
                gone |= machine.missing()
        there = {name: reference for name, reference in props["references"].items() if reference not in gone}
        return ReadResult(id_, {**props, "references": there})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """The new ones; of all others of ours the pin goes."""
        return UpdateResult({**news, "off": bring(_machines(news), news["references"])})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """The pins go; a machine that is not there any more has none."""
        for machine in _machines(props):
            with hosts.gone_if_off("its images are taken for gone"):
                _release(machine.connection, _ours(_named(machine.connection)))


class MachineImages(Resource, module="homespun", name="MachineImages"):
    """Images on a cluster's machines, by their references."""

    references: pulumi.Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        connections: pulumi.Input[dict[str, Any]],
        seeing: pulumi.Input[list[str]],
        cluster: pulumi.Input[str],
        references: dict[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`connections` by the names of the machines; `seeing`: the names of those that see the claim `data`."""
        inputs = {"connections": connections, "seeing": seeing, "cluster": cluster, "references": references}
        super().__init__(MachineImagesProvider(), name, inputs, opts)


def _machines(props: dict[str, Any]) -> list[Machine]:
    known, references = props["connections"], props["references"]
    elsewhere = {name: one for name, one in references.items() if name not in WITH_DATA}
    seeing = props.get("seeing", known)  # all images were brought to all machines once
    return [
        Machine(hosts.connection(one), references if name in seeing else elsewhere)
        for name, one in sorted(known.items())
    ]


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
