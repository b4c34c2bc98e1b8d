"""A machine that is off keeps no other from an `up`: it stays as it was, and is seen to when it is back."""

from pathlib import Path
from typing import Any

import pytest

from homespun.hosts import facts
from homespun.hosts.errors import HostError, OffError, UnreachableError
from homespun.hosts.ssh import Connection
from stacks.hosts import HostProvider
from stacks.machines.own import OwnMachineProvider
from stacks.mesh.device import DeviceProvider
from stacks.platform import images
from stacks.platform.images import MachineImagesProvider

REACHED: dict[str, Any] = {
    "address": "192.168.1.21", "user": "me", "identity": "/id", "known_hosts": "/pin", "port": 22.0,
}  # fmt: skip
WAS = {"connection": REACHED, "facts": {"os": "debian"}, "digests": {"file /a": "0644 1"}}


def wanted(role: str = "worker") -> dict[str, Any]:
    return {"connection": REACHED, "member": {"role": role}, "facts": None, "digests": None}


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[HostError]:
    """What every command on the machine ends with."""
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path))  # progress is told there
    how: list[HostError] = [OffError("no route to host")]

    def run(*_: Any, **__: Any) -> str:
        raise how[-1]

    monkeypatch.setattr(facts, "read", run)
    monkeypatch.setattr(Connection, "run", run)
    return how


@pytest.mark.usefixtures("fails")
def test_one_that_was_set_up_stays_as_it_was() -> None:
    checked = HostProvider().check(WAS, wanted())
    assert checked.failures == []
    assert (checked.inputs["facts"], checked.inputs["digests"]) == (WAS["facts"], WAS["digests"])
    assert not HostProvider().diff("", WAS, checked.inputs).changes
    assert OwnMachineProvider().check({"connection": REACHED}, {"connection": REACHED}).failures == []


@pytest.mark.usefixtures("fails")
@pytest.mark.parametrize(
    ("olds", "role"),
    [({}, "worker"), ({**WAS, "connection": {**REACHED, "address": "192.168.1.22"}}, "worker"), (WAS, "control-plane")],
    ids=["a new one", "another one", "the control plane's"],
)
def test_others_have_to_be_on(olds: dict[str, Any], role: str) -> None:
    failures = HostProvider().check(olds, wanted(role)).failures or []
    assert ["switch another on" in one.reason for one in failures] == [True]


def test_one_that_answers_and_does_not_let_us_in_is_not_taken_for_off(fails: list[HostError]) -> None:
    fails.append(UnreachableError("Permission denied (publickey)"))
    assert HostProvider().check(WAS, wanted()).failures
    assert OwnMachineProvider().check({"connection": REACHED}, {"connection": REACHED}).failures


def test_its_images_are_brought_by_the_next_up_that_finds_it_on(
    fails: list[HostError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_built", lambda references: {})
    props: dict[str, Any] = {"cluster": "a", "connections": {"m1": REACHED}, "seeing": [], "references": {}}
    made = MachineImagesProvider().create(props)
    assert made.outs
    assert made.outs["off"] == ["192.168.1.21"]
    assert MachineImagesProvider().diff("", made.outs, props).changes
    monkeypatch.setattr(Connection, "run", lambda *_, **__: "")
    again = MachineImagesProvider().update("", made.outs, props)
    assert again.outs
    assert not MachineImagesProvider().diff("", again.outs, props).changes


def test_one_that_does_not_let_us_in_fails_the_bringing(
    fails: list[HostError], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails.append(UnreachableError("Permission denied (publickey)"))
    monkeypatch.setattr(images, "_built", lambda references: {})
    with pytest.raises(UnreachableError):
        MachineImagesProvider().create({"cluster": "a", "connections": {"m1": REACHED}, "references": {}})


@pytest.mark.usefixtures("fails")
def test_one_that_would_join_another_tailnet_stays_in_its_own() -> None:
    was = {"name": "shelf", "url": "https://192.168.1.20:8443", "connection": REACHED, "server": REACHED}
    checked = DeviceProvider().check(was, {**was, "url": "https://203.0.113.4:8443"})
    assert checked.inputs == was
    assert (
        DeviceProvider().check({}, {**was, "url": "https://203.0.113.4:8443"}).inputs["url"].startswith("https://203")
    )
