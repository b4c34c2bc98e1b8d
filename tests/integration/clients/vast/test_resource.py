"""What Pulumi is told of a rented machine: what it costs, that it is lost, that nothing is known of it now."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homespun.clients.errors import Denied, Missing
from homespun.clients.vast.client import Vast
from stacks.machines import vast as resource
from stacks.machines.vast import RentedMachineProvider
from tests.integration.clients.vast.conftest import NOBODY, client
from tests.integration.clients.vast.intents import VM
from tests.integration.parts.vast_api import VastApi

LABEL = "homespun.home.gpu"
PROVIDER = RentedMachineProvider()


@pytest.fixture
def asked(vast_api: VastApi, vast: Vast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The inputs, as the program gives them."""
    monkeypatch.setattr(resource, "account", client)
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path))
    return {
        "url": vast_api.url, "label": LABEL, "gpu_names": ["RTX 4090"], "gpus": 1.0, "gpu_ram_gib": 24.0,
        "disk_gb": 130.0, "image": VM.image, "max_usd_per_hour": "0.50", "identity": "/none",
        "cluster": "10.0.0.1:6443", "dark_minutes": 60.0, "account": None, "instance": None, "connection": None,
        "host_key": None,
        "usd_per_hour": None,
    }  # fmt: skip


@pytest.fixture
def recorded(vast_api: VastApi, vast: Vast, asked: dict[str, Any]) -> dict[str, Any]:
    """The outputs of one that runs."""
    made = vast.create(vast_api.market.offer().id, replace(VM, label=LABEL))
    found = vast.show(made.id)
    assert found
    return PROVIDER._outputs(found, "ssh-ed25519 AAAA", {**asked, "account": str(vast.account().id)})


def checked(asked: dict[str, Any]) -> dict[str, Any]:
    result = PROVIDER.check({}, asked)
    assert not result.failures
    return {name: value for name, value in result.inputs.items() if value is not None}  # as the engine hands them on


def test_one_that_is_not_there_is_priced_and_not_rented(
    vast_api: VastApi, asked: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    vast_api.market.offer()
    assert "instance" not in checked(asked)
    assert f"{LABEL}: 1 x RTX 4090, $0.3271 an hour" in capfd.readouterr().err
    assert vast_api.asked["create"] == 0


def test_without_an_offer_nothing_is_begun(asked: dict[str, Any]) -> None:
    (failure,) = PROVIDER.check({}, asked).failures or []
    assert "found none: ask for less, pay more, or wait" in failure.reason


def test_one_that_runs_is_as_it_was(asked: dict[str, Any], recorded: dict[str, Any]) -> None:
    assert not PROVIDER.diff("", recorded, checked(asked)).changes


@pytest.mark.parametrize("status", ["offline", "exited", None])
def test_one_that_is_lost_is_replaced(
    vast_api: VastApi, asked: dict[str, Any], recorded: dict[str, Any], status: str | None
) -> None:
    (instance,) = vast_api.market.instances.values()
    if status:
        instance.become(status)
    else:
        vast_api.market.destroy(instance)
    vast_api.market.offer()
    assert PROVIDER.diff("", recorded, checked(asked)).replaces == ["instance"]


def test_where_vast_ai_does_not_say_all_is_as_it_was(asked: dict[str, Any], recorded: dict[str, Any]) -> None:
    away = checked({**asked, "url": NOBODY})
    assert not PROVIDER.diff("", {**recorded, "url": NOBODY}, away).changes
    assert PROVIDER.read("7", {**recorded, "url": NOBODY}).id == "7"


def test_what_is_paid_now_may_not_be_more_than_the_settings_allow(
    asked: dict[str, Any], recorded: dict[str, Any]
) -> None:
    (failure,) = PROVIDER.check({}, {**asked, "max_usd_per_hour": "0.20"}).failures or []
    assert "expected at most $0.20 an hour, it costs $0.3300" in failure.reason


def test_other_wishes_are_another_machine_and_another_hour_of_leaving_is_not(
    asked: dict[str, Any], recorded: dict[str, Any]
) -> None:
    assert PROVIDER.diff("", recorded, checked({**asked, "gpus": 2.0})).replaces == ["gpus"]
    later = PROVIDER.diff("", recorded, checked({**asked, "dark_minutes": 90.0}))
    assert (later.changes, later.replaces) == (True, [])


def test_the_key_of_another_account_destroys_nothing_and_says_so(
    vast_api: VastApi, asked: dict[str, Any], recorded: dict[str, Any]
) -> None:
    with pytest.raises(Denied, match="expected the key of account 8, by which it was rented, got one of account 7"):
        PROVIDER.delete(recorded["instance"], {**recorded, "account": "8"})
    assert vast_api.market.instances
    PROVIDER.delete(recorded["instance"], recorded)
    assert not vast_api.market.instances


def test_one_that_boots_just_now_keeps_the_host_key_that_it_is_known_by(
    vast_api: VastApi, asked: dict[str, Any], recorded: dict[str, Any]
) -> None:
    pinned = Path(recorded["connection"]["known_hosts"])
    before = pinned.read_text()
    (instance,) = vast_api.market.instances.values()
    instance.become("rebooting")
    instance.ports = None
    with pytest.raises(Missing, match="expected it to run, it is rebooting"):
        PROVIDER.update(recorded["instance"], recorded, checked(asked))
    assert pinned.read_text() == before


def test_refresh_shows_one_that_is_gone(vast_api: VastApi, recorded: dict[str, Any]) -> None:
    assert PROVIDER.read(recorded["instance"], recorded).id == recorded["instance"]
    vast_api.market.destroy(*vast_api.market.instances.values())
    assert PROVIDER.read(recorded["instance"], recorded).id == ""
