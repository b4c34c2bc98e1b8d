"""What folders want of one disk is added up; a machine elsewhere has no other way to where the mesh leads."""

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from cli.obstacles import machine_obstacles, short_of_room, tailnet_obstacles
from homespun.hosts import facts
from stacks import settings
from stacks.mesh import control
from stacks.settings import HomeBase
from tests.unit.hosts.machines import DEBIAN_V2
from tools.obtain import architecture

STATE, CACHE = Path("/state"), Path("/cache")
GB = 1 << 30


@pytest.mark.parametrize(
    ("devices", "free", "said"),
    [
        ({STATE: 1, CACHE: 1}, 30, []),
        ({STATE: 1, CACHE: 1}, 29, ["/state and /cache: expected 30 GB free, found 29"]),
        ({STATE: 1, CACHE: 2}, 20, []),
        ({STATE: 1, CACHE: 2}, 19, ["/cache: expected 20 GB free, found 19"]),
    ],
    ids=["room for both", "one disk is short of both", "two disks", "one of two is short"],
)
def test_a_disk_has_to_hold_all_that_goes_onto_it(devices: dict[Path, int], free: int, said: list[str]) -> None:
    wanted = {STATE: 10 * GB, CACHE: 20 * GB}
    found = short_of_room(wanted, lambda folder: devices[folder], lambda _: free * GB)
    assert [line.partition(";")[0] for line in found] == said


def test_a_machine_elsewhere_whose_lan_has_the_first_ones_address_is_in_the_way() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPZ1qQ3Uq0O0dCw3mVYpM1r8mUuTn1l8o3c8tq0b0000"
    config = {
        "homespun:environment": "home",
        "homespun:machines": [
            {"name": "desk", "number": 0, "address": "192.168.1.20", "hostKey": key},
            {"name": "vps", "number": 1, "site": "away", "address": "8.8.8.8", "hostKey": key},
        ],
    }
    found = settings.parse_base(config, "here")
    assert isinstance(found, HomeBase)
    same = replace(facts.parse(DEBIAN_V2, "vps"), architecture=architecture(), ours=True)
    assert IPv4Network("192.168.1.0/24") in same.networks
    [line] = machine_obstacles("vps", same, found)
    assert line.startswith("homespun:machines: desk (192.168.1.20/32): expected no route of the machine's into it")
    assert machine_obstacles("desk", same, found) == []


def test_a_tailnet_without_a_credential_is_in_the_way_of_whoever_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (control.CLIENT_ID, control.CLIENT_SECRET, control.API_KEY):
        monkeypatch.delenv(name, raising=False)
    away = {"homespun:lab": {"sites": [{"name": "away", "bridge": "hs-away", "range": "10.9.0.0/24"}]}}
    machines = [{"name": "m0", "number": 0}, {"name": "m2", "number": 2, "site": "away"}]
    at_tailscale = {"homespun:mesh": {"control": "tailscale"}}
    two = settings.parse_base({**away, **at_tailscale, "homespun:machines": machines}, "here")
    [line] = tailnet_obstacles(two, "home")
    assert "TAILSCALE_API_KEY (https://login.tailscale.com/admin/settings/keys), found none" in line
    assert tailnet_obstacles(settings.parse_base({**away, "homespun:machines": machines}, "here"), "home") == []
    assert tailnet_obstacles(settings.parse_base(at_tailscale, "here"), "home") == []  # one machine is joined to nobody
