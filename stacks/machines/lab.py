"""A lab machine as a Pulumi resource: a shell over `nspawn`. Whether it runs is not state; `start` sees to that."""

from ipaddress import IPv4Address, IPv4Network
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

from homespun import places
from stacks import progress
from stacks.machines import network, nspawn, rootfs
from stacks.machines.network import Network

IDENTITY = ("lab", "bridge", "range", "site", "name", "address")
"""What makes a machine this one and no other: a change of any replaces it."""


def machine(properties: dict[str, Any]) -> nspawn.Machine:
    """The machine that a resource's properties describe, in this box's state folder."""
    return nspawn.Machine(
        Network(
            properties["lab"],
            properties["bridge"],
            IPv4Network(properties["range"]),
            properties.get("site", ""),
            tuple(properties.get("published", ())),
        ),
        places.state() / "labs" / properties["lab"],
        properties["name"],
        IPv4Address(properties["address"]),
        rootfs.cached_path(),
    )


class LabMachineProvider(ResourceProvider):
    """Makes a machine and starts it; nothing of it is ever changed in place but what its network lets in."""

    serialize_as_secret_always = False

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Before anything else, in previews too: the address has to be one of the lab's, and not the box's own."""
        lan = IPv4Network(news["range"])
        address = IPv4Address(news["address"])
        if address in lan and address not in (lan[0], lan[1], lan[-1]):
            # What is merely updated is reached as before, and a preview may know it.
            same = "connection" in olds and not _changed(olds, news)
            return CheckResult({**news, **({"connection": outputs(news)["connection"]} if same else {})}, [])
        return CheckResult(news, [CheckFailure("address", f"expected an address within {lan}, got {address}")])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """A machine that is another is made anew, the old one first: they may share a name."""
        changed = _changed(olds, news)
        published = olds.get("published", []) != news["published"]
        return DiffResult(changes=bool(changed) or published, replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make it and start it; one that does not boot is taken away again."""
        with progress.stage("machine", "root file system"):
            rootfs.obtain(lambda what, percent: progress.tell("machine", f"{what} {percent}%"))
            made = machine(props)
            progress.tell("machine", "boot")
            try:
                nspawn.create(made)
                nspawn.start(made)
            except Exception:
                nspawn.destroy(made)
                raise
        return CreateResult(made.unique_name, outputs(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: gone if its folder is; one that merely does not run is there."""
        return ReadResult(id_, outputs(props)) if nspawn.exists(machine(props)) else ReadResult("", {})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """What its network lets in is another."""
        network.up(machine(news).network)
        return UpdateResult(outputs(news))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Pull the plug; the machine, its data and what it had on this box go."""
        nspawn.destroy(machine(props))


def outputs(properties: dict[str, Any]) -> dict[str, Any]:
    """The inputs, and how the machine is reached (paths of keys, no keys)."""
    connection = machine(properties).connection
    reached = {"address": connection.address, "user": connection.user, "port": connection.port,
               "identity": connection.identity, "known_hosts": connection.known_hosts}  # fmt: skip
    known = {"site": "", "published": [], **properties}
    return {**{name: known[name] for name in (*IDENTITY, "published")}, "connection": reached}


def _changed(olds: dict[str, Any], news: dict[str, Any]) -> list[str]:
    before = {"site": "", **olds}  # a lab had one site once, and did not say so
    return [name for name in IDENTITY if before.get(name) != news.get(name)]


class LabMachine(Resource, module="homespun", name="LabMachine"):
    """A Debian machine under systemd-nspawn on this box."""

    connection: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, lan: Network, address: IPv4Address) -> None:
        inputs = {
            "lab": lan.lab,
            "bridge": lan.bridge,
            "range": str(lan.range),
            "site": lan.site,
            "published": list(lan.published),
            "name": name,
            "address": str(address),
            "connection": None,
        }
        super().__init__(LabMachineProvider(), name, inputs)
