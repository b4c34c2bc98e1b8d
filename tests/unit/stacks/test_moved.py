"""What is made on a machine is made anew where the machine is another one, and only there."""

from typing import Any

import pytest

from stacks.cluster.node import NodeProvider
from stacks.cluster.resource import ClusterProvider
from stacks.cluster.share import ShareProvider
from stacks.hosts import HostProvider
from stacks.machines.lab import LabMachineProvider
from stacks.mesh.device import DeviceProvider
from stacks.mesh.headscale import HeadscaleProvider

HERE, THERE = {"address": "10.41.0.10"}, {"address": "10.41.0.11"}
PROPS = {"connection": HERE, "control_plane": HERE, "server": HERE}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the engine's word for what a preview can't know
MACHINE: dict[str, Any] = {
    "lab": "lab", "bridge": "hs-lab", "range": "10.41.0.0/24", "name": "m0", "address": "10.41.0.10",
}  # fmt: skip


@pytest.mark.parametrize(
    "provider",
    [HostProvider(), ClusterProvider(), NodeProvider(), ShareProvider(), DeviceProvider(), HeadscaleProvider()],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_another_machine_and_one_that_is_yet_to_be_made_get_it_anew(provider: Any) -> None:
    assert not provider.diff("", PROPS, PROPS).changes
    for connection in (THERE, UNKNOWN):
        assert "connection" in provider.diff("", PROPS, {**PROPS, "connection": connection}).replaces


def test_a_lab_that_lets_more_in_keeps_its_machines_and_a_preview_knows_how_they_are_reached() -> None:
    provider = LabMachineProvider()
    before = {**MACHINE, "connection": HERE}  # as it was recorded when a lab had one LAN
    wanted = {**MACHINE, "site": "", "published": ["tcp dport 8443"], "connection": None}
    checked = provider.check(before, wanted).inputs
    assert checked["connection"]["address"] == "10.41.0.10"
    found = provider.diff("", before, checked)
    assert (found.changes, found.replaces) == (True, [])


def test_a_machine_on_another_lan_is_another_and_how_it_is_reached_is_not_known_yet() -> None:
    provider = LabMachineProvider()
    before = {**MACHINE, "site": "", "published": [], "connection": HERE}
    wanted = {**before, "bridge": "hs-other", "connection": None}
    checked = provider.check(before, wanted).inputs
    assert checked["connection"] is None
    assert provider.diff("", before, checked).replaces == ["bridge"]
