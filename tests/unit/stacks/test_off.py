"""A machine that is off keeps no other from an `up`: it stays as it was, and is seen to when it is back."""

from typing import Any

import pytest

from homespun.hosts import facts
from homespun.hosts.errors import HostError, OffError, UnreachableError
from homespun.hosts.ssh import Connection
from stacks.hosts import HostProvider
from stacks.machines.own import OwnMachineProvider
from stacks.platform import images
from stacks.platform.images import MachineImagesProvider

REACHED: dict[str, Any] = {
    "address": "192.168.1.21", "user": "me", "identity": "/id", "known_hosts": "/pin", "port": 22.0,
}  # fmt: skip
WAS = {"connection": REACHED, "facts": {"os": "debian"}, "digests": {"file /a": "0644 1"}}


def wanted(role: str = "worker") -> dict[str, Any]:
    return {"connection": REACHED, "member": {"role": role}, "facts": None, "digests": None}


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> list[HostError]:
    """What every command on the machine ends with."""
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


@pytest.mark.usefixtures("fails")
def test_its_images_are_brought_by_the_next_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_built", lambda references: {})
    monkeypatch.setattr(Connection, "answers", lambda connection: False)
    props = {"cluster": "a", "connections": {"m1": REACHED}, "seeing": [], "references": {"operator": "o:1"}}
    made = MachineImagesProvider().create(props)
    assert made.outs
    assert made.outs["off"] == ["192.168.1.21"]
    assert MachineImagesProvider().diff("", made.outs, props).changes
    assert not MachineImagesProvider().diff("", {**made.outs, "off": []}, props).changes
