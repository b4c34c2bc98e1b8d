"""A rented machine as a Pulumi resource: a shell over `homespun.clients.vast.renting`.

It is known by its label. So one that an `up` which was killed has rented is found again, and one that was lost (outbid,
its host gone) is replaced by the next `up`.
"""

import functools
import os
import subprocess
from collections.abc import Mapping
from decimal import Decimal
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

from homespun import places
from homespun.clients.errors import Denied, ServiceError
from homespun.clients.vast import client, renting
from homespun.clients.vast.client import DESTROY, Vast
from homespun.clients.vast.instances import Created, Instance, Intent, Status
from homespun.clients.vast.offers import Offer, Query
from homespun.hosts import leaving, ssh
from homespun.hosts.cluster import API_PORT
from homespun.hosts.ssh import Connection
from stacks import progress
from stacks.settings import HomeBase, RentedSettings, VastSettings

KEY: Final = "VAST_API_KEY"
KEY_FILE: Final = Path(".config/vastai/vast_api_key")
"""Where `vastai set api-key` puts it (vastai 1.9, cli/main.py)."""
BOOT_SECONDS: Final = 900.0
"""From the rental until it lets us in."""
ASKED: Final = ("url", "label", "gpu_names", "gpus", "gpu_ram_gib", "disk_gb", "image")
"""What makes a machine another one."""
UPDATED: Final = ("connection", "max_usd_per_hour", "cluster", "dark_minutes")
"""What else may change. Of what it may cost at most only the next rental takes note."""
MIB: Final = 1000
"""Of a GPU's memory in each GiB that is asked for: a machine tells what its driver leaves (24564 of 24 GiB)."""


def label(settings: HomeBase, name: str) -> str:
    """By which a machine is known at vast.ai: of the account's, one cluster of a name has one machine of a name."""
    return f"homespun-{settings.called}-{name}"


@functools.cache
def account(url: str) -> Vast:
    """The account, once a process: it knows when it may ask again. Raises Denied where there is no key."""
    file = Path.home() / KEY_FILE
    key = os.environ.get(KEY) or (file.read_text().strip() if file.exists() else "")
    if not key:
        raise Denied(
            f"vast.ai: expected an API key in {KEY} or {file}, found none; https://cloud.vast.ai/manage-keys/ makes one"
        )
    return client.connect(key, url)


def give_back(settings: HomeBase) -> list[str]:
    """Destroy whatever is rented under the settings' labels, known to Pulumi or not. Raises ServiceError."""
    if not settings.vast:
        return []
    gone = []
    for one in settings.rented:
        for number in renting.clear(account(settings.vast.url), label(settings, one.name)):
            gone.append(f"{one.name} (instance {number})")
        _pin(label(settings, one.name)).unlink(missing_ok=True)
    return gone


def price(settings: HomeBase, one: RentedSettings) -> str:
    """What it costs, or would cost now, and what the account has. Raises ServiceError, with what to do."""
    assert settings.vast
    vast, named = account(settings.vast.url), label(settings, one.name)
    found = renting.present(vast, named)
    said = f"${_price(found)} an hour" if found else described(renting.offered(vast, query(_asked(one)))[0])
    return f"{said}; the account has ${vast.account().credit:.2f}"


class RentedMachineProvider(ResourceProvider):
    """Rents a machine and gives it back; nothing of it is ever changed in place."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Before anything else, in previews too: what there is already, else what it will cost."""
        name = news["label"]
        try:
            vast = account(news["url"])
            found = renting.present(vast, name)
            if found is None:
                cheapest, *_ = renting.offered(vast, query(news))
                pulumi.log.info(f"{name}: {described(cheapest)}, now the cheapest")
        except ServiceError as error:
            return CheckResult(news, [CheckFailure("label", f"{name}: {error}")])
        known = found is not None and found.status is Status.RUNNING and _pin(name).exists()
        return CheckResult(
            {
                **news,
                "instance": str(found.id) if found else None,
                "connection": _connection(found, news) if found and known else None,
            },
            [],
        )

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """What is asked for is another machine; so is one in the place of one that was lost."""
        changed = [name for name in (*ASKED, "instance") if olds.get(name) != news.get(name)]
        otherwise = any(olds.get(name) != news.get(name) for name in UPDATED)
        return DiffResult(changes=bool(changed) or otherwise, replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Rent it, and wait until it lets us in; a failure leaves nothing rented."""
        name, vast = props["label"], account(props["url"])
        with progress.stage("rent", name):
            vast.ensure_ssh_key(_public(props["identity"]))
            found, key = renting.rent(
                vast,
                query(props),
                Intent(name, props["image"], int(props["disk_gb"])),
                lambda instance, made: _let_in(instance, made, props),
                BOOT_SECONDS,
                lambda what: progress.tell("rent", f"{name}: {what}"),
            )
        return CreateResult(str(found.id), self._outputs(found, key, props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: gone if vast.ai has it no more. Where vast.ai does not answer, as recorded."""
        try:
            found = account(props["url"]).show(int(id_))
        except ServiceError:
            return ReadResult(id_, props)
        gone = found is None or found.status not in renting.ALIVE
        return ReadResult("", {}) if gone else ReadResult(id_, props)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """It is reached in another way, or its host key is to be remembered here too."""
        found = account(news["url"]).show(int(id_))
        if found is None:
            raise Denied(f"vast.ai: instance {id_}: expected it, it is gone; the next `pulumi up` rents another")
        outputs = self._outputs(found, olds["host_key"], news)
        _arm(outputs["connection"], news, found.id)
        return UpdateResult(outputs)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Destroy it, with all that is on it. Raises NotDestroyed, which says how to end it by hand."""
        with progress.stage("rent", f"give back {props['label']}"):
            account(props["url"]).destroy(int(id_))
        _pin(props["label"]).unlink(missing_ok=True)

    def _outputs(self, found: Instance, key: str, props: dict[str, Any]) -> dict[str, Any]:
        reached = _connection(found, props)
        _remember(reached, key)
        return {
            **props,
            "instance": str(found.id),
            "connection": reached,
            "host_key": key,
            "usd_per_hour": _price(found),
        }


class RentedMachine(Resource, module="homespun", name="RentedMachine"):
    """A virtual machine at vast.ai."""

    connection: pulumi.Output[dict[str, Any]]
    usd_per_hour: pulumi.Output[str]

    def __init__(self, asked: RentedSettings, account: VastSettings, settings: HomeBase) -> None:
        inputs = {
            "url": account.url,
            "label": label(settings, asked.name),
            "cluster": f"{settings.lan(settings.first)}:{API_PORT}",
            "dark_minutes": account.dark_minutes,
            **_asked(asked),
            "identity": str(account.identity),
            "instance": None,
            "connection": None,
            "host_key": None,
            "usd_per_hour": None,
        }
        super().__init__(RentedMachineProvider(), asked.name, inputs)


def _asked(settings: RentedSettings) -> dict[str, Any]:
    """As properties."""
    found = settings.model_dump(include={"gpu_names", "gpus", "gpu_ram_gib", "disk_gb", "image", "max_usd_per_hour"})
    return {**found, "gpu_names": list(settings.gpu_names), "max_usd_per_hour": str(settings.max_usd_per_hour)}


def query(properties: Mapping[str, Any]) -> Query:
    """What a resource's properties ask the market for, in which every number is a float."""
    return Query(
        disk_gb=int(properties["disk_gb"]),
        gpu_names=tuple(properties["gpu_names"]),
        min_gpus=int(properties["gpus"]),
        min_gpu_ram_mib=int(properties["gpu_ram_gib"]) * MIB,
        max_dollars_an_hour=Decimal(properties["max_usd_per_hour"]),
    )


def described(offer: Offer) -> str:
    """An offer in a line."""
    return (
        f"{offer.num_gpus} x {offer.gpu_name}, ${offer.dollars_an_hour:.4f} an hour with its disk (machine"
        f" {offer.machine_id}, reliability {offer.reliability:.3f})"
    )


def _price(found: Instance) -> str:
    """Dollars an hour, as vast.ai says."""
    return "unknown" if found.dollars_an_hour is None else f"{found.dollars_an_hour:.4f}"


def _let_in(found: Instance, made: Created, props: Mapping[str, Any]) -> str | None:
    """The host key that it shows, once it lets us in and is told when to leave; None as long as it does not."""
    if not found.ssh_host or not (key := ssh.host_key(found.ssh_host, found.ssh_port)):
        return None
    reached = _connection(found, props)
    _remember(reached, key)
    if not Connection(**reached).answers():
        return None
    _arm(reached, props, found.id, made.api_key)
    return key


def _arm(reached: Mapping[str, Any], props: Mapping[str, Any], number: int, key: str = "") -> None:
    instance = f"{props['url']}{DESTROY.path.format(number)}"
    leaving.arm(Connection(**reached), props["cluster"], instance, int(props["dark_minutes"]), key)


def _connection(found: Instance, props: Mapping[str, Any]) -> dict[str, Any]:
    return vars(Connection(found.ssh_host, ssh.ROOT, str(props["identity"]), str(_pin(props["label"])), found.ssh_port))


def _pin(label: str) -> Path:
    """The file of its host key: of the first connection, as nobody can say it before."""
    return places.state() / "home" / f"{label}.known_hosts"


def _remember(reached: Mapping[str, Any], key: str) -> None:
    path = Path(reached["known_hosts"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ssh.known_host(reached["address"], reached["port"], key))


def _public(identity: str) -> str:
    """The public half of a private key."""
    return subprocess.run(["ssh-keygen", "-y", "-f", identity], capture_output=True, text=True, check=True).stdout
