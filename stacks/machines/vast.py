"""A rented machine as a Pulumi resource: a shell over `homespun.clients.vast.renting`.

It is known by its label. So one that was lost (ended, its host gone) is replaced by the next `up`, and one that an `up`
which was killed has rented is destroyed by it.
"""

import functools
import os
import subprocess
from collections.abc import Collection, Mapping
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
from homespun.clients.errors import Denied, Missing, ServiceError
from homespun.clients.vast import client, renting
from homespun.clients.vast.client import DESTROY, Vast
from homespun.clients.vast.errors import NoOffer, NotUp
from homespun.clients.vast.instances import Created, Instance, Intent, Status
from homespun.clients.vast.offers import Offer, Query
from homespun.hosts import facts, ssh, watchdog
from homespun.hosts.cluster import API_PORT
from homespun.hosts.errors import HostError
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
UNSEEN: Final = "unseen"
"""Stands for the instance where vast.ai did not say."""
UPDATED: Final = ("connection", "max_usd_per_hour", "cluster", "dark_minutes")
"""What else may change: how it is reached, what it may cost, when it leaves."""
PREPARE: Final = (
    "systemctl disable --quiet --now docker.socket docker.service 2>/dev/null;"
    " iptables -P FORWARD ACCEPT 2>/dev/null; true"
)
"""vast.ai's virtual machines bring Docker, which drops what is forwarded, and so what pods send."""
MIB_A_GIB: Final = 1000
"""Of a GPU's memory in each GiB that is asked for: a machine tells what its driver leaves (24564 of 24 GiB)."""


def label(settings: HomeBase, name: str) -> str:
    """By which a machine is known at vast.ai: of the account's, one cluster of a name has one machine of a name."""
    return f"{_prefix(settings)}{name}"


def _prefix(settings: HomeBase) -> str:
    """Of all labels of a cluster; neither its name nor a machine's has a dot."""
    return f"homespun.{settings.called}."


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


def give_back(settings: HomeBase, but: Collection[str] = ()) -> list[str]:
    """Destroy what is rented for the cluster, known to Pulumi or not, but for machines of these names; the labels.

    Raises ServiceError.
    """
    if not settings.vast:
        return []
    kept = [label(settings, name) for name in but]
    gone = renting.reap(account(settings.vast.url), _prefix(settings), kept)
    for named in gone:
        _unpin(named)
    return gone


def price(settings: HomeBase, one: RentedSettings) -> str:
    """What it costs, or would cost now, and what the account has. Raises ServiceError, with what to do."""
    assert settings.vast
    vast, named = account(settings.vast.url), label(settings, one.name)
    found = renting.present(vast, named)
    said = f"${_price(found)} an hour" if found else described(renting.offered(vast, query(_asked(one)))[0])
    return f"{said}; the account has ${vast.account().credit:.2f}"


class RentedMachineProvider(ResourceProvider):
    """Rents a machine and gives it back."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Before anything else, in previews too: what there is already, else what it will cost.

        Where vast.ai does not say, all is taken for as it was: a cluster can do without.
        """
        name = news["label"]
        try:
            vast = account(news["url"])
            found = renting.present(vast, name)
            if found is None:
                cheapest, *_ = renting.offered(vast, query(news))
                pulumi.log.info(f"{name}: {described(cheapest)}, now the cheapest")
        except NoOffer as error:
            return CheckResult(news, [CheckFailure("max_usd_per_hour", f"{name}: {error}")])
        except ServiceError as error:
            pulumi.log.warn(f"{name}: taken for as it was: {error}")
            return CheckResult({**news, "instance": UNSEEN}, [])
        if found and (found.dollars_an_hour or 0) > Decimal(news["max_usd_per_hour"]):
            words = (
                f"{name}: expected at most ${news['max_usd_per_hour']} an hour, it costs ${_price(found)}: pay more,"
            )
            return CheckResult(news, [CheckFailure("max_usd_per_hour", f"{words} or take it out and rent another")])
        if found is None:
            return CheckResult(news, [])
        known = found.ssh_host and _pin(name, found.id).exists()
        reached = _connection(found, news) if known else None
        return CheckResult({**news, "instance": str(found.id), "connection": reached}, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """What is asked for is another machine; so is one in the place of one that was lost."""
        seen = news.get("instance") != UNSEEN  # what is null is not handed over
        changed = [name for name in (*ASKED, *(["instance"] if seen else [])) if olds.get(name) != news.get(name)]
        otherwise = seen and any(olds.get(name) != news.get(name) for name in UPDATED)
        return DiffResult(changes=bool(changed) or otherwise, replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Rent it, and wait until it lets us in; a failure leaves nothing rented."""
        name, vast = props["label"], account(props["url"])
        with progress.stage("rent", name):
            props = {**props, "account": str(vast.account().id)}
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
        """For refresh: gone if vast.ai has it no more. Where vast.ai does not say, as recorded."""
        try:
            found = self._account(props).show(int(id_))
        except ServiceError:
            return ReadResult(id_, props)
        gone = found is None or found.status not in renting.ALIVE
        return ReadResult("", {}) if gone else ReadResult(id_, props)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """It is reached in another way, leaves at another time, or its host key is to be remembered here too."""
        found = self._account(olds).show(int(id_))
        if found is None or found.status is not Status.RUNNING or not found.ssh_host:
            state = found.word or found.status if found else "gone"
            raise Missing(f"vast.ai: instance {id_}: expected it to run, it is {state}; `pulumi up` again in a while")
        outputs = self._outputs(found, olds["host_key"], {**news, "account": olds["account"]})
        _arm(outputs["connection"], news, found.id)
        return UpdateResult(outputs)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Destroy it, with all that is on it. Raises NotDestroyed, which says how to end it by hand."""
        with progress.stage("rent", f"give back {props['label']}"):
            self._account(props).destroy(int(id_))
        _unpin(props["label"])

    def _account(self, props: dict[str, Any]) -> Vast:
        """The account that it was rented by. Raises Denied where the key is another's: that would find nothing."""
        vast = account(props["url"])
        if (whose := str(vast.account().id)) != props["account"]:
            raise Denied(
                f"vast.ai: {props['label']}: expected the key of account {props['account']}, by which it was rented,"
                f" got one of account {whose}"
            )
        return vast

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
            "account": None,
            "instance": None,
            "connection": None,
            "host_key": None,
            "usd_per_hour": None,
        }
        super().__init__(RentedMachineProvider(), asked.name, inputs)


def _asked(settings: RentedSettings) -> dict[str, Any]:
    """As properties."""
    return settings.model_dump(mode="json", exclude={"name", "number"})


def query(properties: Mapping[str, Any]) -> Query:
    """What a resource's properties ask the market for, in which every number is a float."""
    return Query(
        disk_gb=int(properties["disk_gb"]),
        gpu_names=tuple(properties["gpu_names"]),
        min_gpus=int(properties["gpus"]),
        min_gpu_ram_mib=int(properties["gpu_ram_gib"]) * MIB_A_GIB,
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
    """The host key that it shows, once it lets us in and is told when to leave; None as long as it does not.

    Raises NotUp where it can't be a node.
    """
    if not found.ssh_host or not (key := ssh.host_key(found.ssh_host, found.ssh_port)):
        return None
    reached = _connection(found, props)
    _remember(reached, key)
    machine = Connection(**reached)
    try:
        _arm(reached, props, found.id, made.api_key)
        machine.run(PREPARE)
        wrong = facts.obstacles(facts.read(machine))
    except HostError:  # what boots still may close the door once more
        return None
    if wrong:
        raise NotUp(f"vast.ai: instance {found.id}: {'; '.join(wrong)}")
    return key


def _arm(reached: Mapping[str, Any], props: Mapping[str, Any], number: int, key: str = "") -> None:
    instance = f"{props['url']}{DESTROY.path.format(number)}"
    watchdog.arm(Connection(**reached), props["cluster"], instance, int(props["dark_minutes"]), key)


def _connection(found: Instance, props: Mapping[str, Any]) -> dict[str, Any]:
    known_hosts = str(_pin(props["label"], found.id))
    return vars(Connection(found.ssh_host, ssh.ROOT, str(props["identity"]), known_hosts, found.ssh_port))


def _pin(label: str, number: int) -> Path:
    """The file of its host key: of the first connection, as nobody can say it before."""
    return places.state() / "home" / f"{label}.{number}.known_hosts"


def _unpin(label: str) -> None:
    for path in (places.state() / "home").glob(f"{label}.*.known_hosts"):
        path.unlink()


def _remember(reached: Mapping[str, Any], key: str) -> None:
    path = Path(reached["known_hosts"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ssh.known_host(reached["address"], reached["port"], key))


def _public(identity: str) -> str:
    """The public half of a private key."""
    return subprocess.run(["ssh-keygen", "-y", "-f", identity], capture_output=True, text=True, check=True).stdout
