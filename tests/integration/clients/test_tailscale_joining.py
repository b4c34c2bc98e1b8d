"""A machine at Tailscale's service: it joins by a key that is gone afterwards, and its device goes with it.

The machine is none: it has the files that it is given, and a tailscaled that joins by them.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from homespun.hosts import mesh
from homespun.hosts.errors import UnreachableError
from stacks import hosts
from stacks.mesh import control, policy
from stacks.mesh import device as resource
from stacks.mesh.device import DeviceProvider
from stacks.mesh.errors import MeshError
from stacks.mesh.tailscale import TailscaleProvider
from tests.integration.parts.tailscale_api import TailscaleApi

pytestmark = pytest.mark.usefixtures("credential")
PROVIDER = DeviceProvider()
URL = "https://controlplane.tailscale.com"


@dataclass
class Machine:
    """What a machine does over SSH that joins."""

    api: TailscaleApi
    address: str = "192.168.1.20"
    files: dict[str, str] = field(default_factory=dict)
    joins: bool = True
    answers: bool = True
    seen: list[str] = field(default_factory=list)

    def write(self, path: str, text: str) -> None:
        self.files[path] = text
        self.seen.append(path)

    def run(self, command: str) -> str:
        self.seen.append(command)
        if not self.answers:
            raise UnreachableError(f"{self.address}: no answer")
        if command.startswith("systemctl restart") and self.joins:
            self.api.join(self.files[mesh.KEY], "desk")
        if command.startswith("systemctl stop"):
            self.joins = False
        if "status --json" not in command:
            return ""
        if not (self.joins and self.api.devices):
            return json.dumps({"BackendState": "NeedsLogin"})
        device = self.api.devices[0]
        return json.dumps(
            {"BackendState": "Running", "Self": {"ID": device["nodeId"], "TailscaleIPs": device["addresses"]}}
        )


@pytest.fixture
def machine(api: TailscaleApi, credential: None, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """In a tailnet whose policy has our part."""
    made = Machine(api)
    monkeypatch.setattr(hosts, "connection", lambda props: made)
    TailscaleProvider().create(
        {"url": URL, "cluster": "home", "networks": ["10.42.0.0/16"], "named": False, "adopt": False, "policy": ""}
    )
    return made


def asked(ephemeral: bool = False) -> dict[str, Any]:
    """The inputs, as the engine hands them on: what is null is not there."""
    reached = {"address": "192.168.1.20", "known_hosts": "/pins/desk"}
    return {"name": "desk", "url": URL, "control": control.TAILSCALE, "connection": reached, "ephemeral": ephemeral}


def test_it_joins_as_nobodys_by_a_key_that_is_nowhere_afterwards(api: TailscaleApi, machine: Machine) -> None:
    made = PROVIDER.create(asked())
    (device,) = api.devices
    assert (made.id, device["tags"], device["isEphemeral"]) == (device["nodeId"], [policy.TAG], False)
    assert machine.files == {mesh.KEY: ""}  # no authority either: Tailscale's certificate needs none
    assert all(key["invalid"] for key in api.keys.values())
    assert "nothing-may-show-this" not in f"{made.outs} {machine.seen}"


def test_one_that_is_in_already_stays_in(api: TailscaleApi, machine: Machine) -> None:
    first = PROVIDER.create(asked())
    assert PROVIDER.create(asked()).id == first.id
    assert (len(api.devices), len(api.keys)) == (1, 1)


def test_one_that_does_not_get_in_leaves_no_key(
    api: TailscaleApi, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.joins = False
    monkeypatch.setattr(resource, "JOIN_SECONDS", 0)
    with pytest.raises(MeshError, match="expected it in the tailnet within 0 s"):
        PROVIDER.create(asked())
    assert machine.files[mesh.KEY] == ""
    assert all(key["invalid"] for key in api.keys.values())


def test_a_rented_one_is_ephemeral(api: TailscaleApi, machine: Machine) -> None:
    PROVIDER.create(asked(ephemeral=True))
    assert api.devices[0]["isEphemeral"]


def test_one_that_somebody_deletes_is_gone_and_one_that_is_there_is_not(api: TailscaleApi, machine: Machine) -> None:
    made = PROVIDER.create(asked())
    assert made.outs
    assert PROVIDER.read(made.id, made.outs).id == made.id
    api.devices.clear()
    assert not PROVIDER.read(made.id, made.outs).id


@pytest.mark.parametrize("answers", [True, False], ids=["on", "off"])
def test_its_device_goes_with_it_whether_it_is_on_or_off(api: TailscaleApi, machine: Machine, answers: bool) -> None:
    made = PROVIDER.create(asked())
    assert made.outs
    machine.answers = answers
    PROVIDER.delete(made.id, made.outs)
    assert api.devices == []


def test_another_control_server_is_joined_anew_and_the_same_is_not() -> None:
    reached = asked()["connection"]
    at_headscale = {**asked(), "url": "https://192.168.1.20:8443", "server": reached, "authority": "PEM"}
    del at_headscale["control"]
    assert not PROVIDER.diff("", asked(), asked()).changes
    assert not PROVIDER.diff("", at_headscale, at_headscale).changes
    assert PROVIDER.diff("", at_headscale, asked()).replaces == ["url"]
    assert PROVIDER.diff("", asked(), at_headscale).replaces == ["url", "server"]


def test_one_of_a_headscale_that_is_gone_meanwhile_is_gone_with_it(machine: Machine) -> None:
    at_headscale = {**asked(), "server": asked()["connection"], "authority": "PEM"}
    del at_headscale["control"]
    assert not PROVIDER.read("1", at_headscale).id
    PROVIDER.delete("1", at_headscale)
