"""A machine of the user's own as a Pulumi resource: it is there already, and stays when all of ours has gone."""

import hashlib
from pathlib import Path
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
from homespun.hosts import ssh
from homespun.hosts.errors import HostError
from homespun.hosts.ssh import Connection
from stacks import hosts
from stacks.settings import HomeBase, HomeMachineSettings


def connections(settings: HomeBase) -> dict[str, Connection]:
    """How each machine is reached, by its name."""
    return {
        one.name: Connection(str(one.address), one.user, str(one.identity), str(_pinned(one)), one.port)
        for one in settings.machines
    }


def pin(settings: HomeBase) -> None:
    """Have the host keys that the settings name where ssh looks for them."""
    for one in settings.machines:
        path = _pinned(one)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_line(one))


def unpin(settings: HomeBase) -> None:
    """Forget them."""
    for one in settings.machines:
        _pinned(one).unlink(missing_ok=True)


def _pinned(machine: HomeMachineSettings) -> Path:
    """The file of its host key. Its name tells its content: one that settings no longer name can be spoken to still."""
    name = hashlib.sha256(_line(machine).encode()).hexdigest()[:16]
    return places.state() / "home" / f"{name}.known_hosts"


def _line(machine: HomeMachineSettings) -> str:
    return ssh.known_host(str(machine.address), machine.port, machine.host_key)


class OwnMachineProvider(ResourceProvider):
    """Looks whether the machine answers; there is nothing to make and nothing to take away."""

    serialize_as_secret_always = False

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Before anything else, in previews too: the machine has to answer, and let us be root; one that did and is off
        may be so (`stacks.hosts` says of which that does not hold)."""
        try:
            hosts.connection(news["connection"]).run("true")
        except HostError as error:
            if hosts.is_off(error, olds, news):
                return CheckResult(news, [])
            return CheckResult(news, [CheckFailure("connection", str(error))])
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """At another address, or with another host key, it is another machine; the same is reached in another way."""
        other = hosts.elsewhere(olds, news)
        changes = olds["connection"] != news["connection"]
        return DiffResult(changes=changes, replaces=["connection"] if other else [], delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """It is there."""
        return CreateResult(f"{props['connection']['address']}", props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """As recorded: one that is off is there all the same."""
        return ReadResult(id_, props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Remember how it is reached."""
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """It is the user's, and stays; nobody here needs its host key any more."""
        Path(props["connection"]["known_hosts"]).unlink(missing_ok=True)


class OwnMachine(Resource, module="homespun", name="OwnMachine"):
    """A machine that is reached over SSH."""

    connection: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, connection: Connection) -> None:
        super().__init__(OwnMachineProvider(), name, {"connection": vars(connection)})
        self.address = connection.address
