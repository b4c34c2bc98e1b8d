"""What is left out has the values that the shipped file shows; file and engine are read alike."""

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.lab import tools_of
from stacks import settings
from stacks.machines import own, sites
from stacks.settings import GivenPlatform, HomeBase, LabBase, OwnPlatform
from tools.table import MESH_TOOLS, TOOLS


def test_the_shipped_lab_has_the_defaults() -> None:
    assert settings.base("lab") == LabBase()
    assert settings.platform("lab") == OwnPlatform()


def test_the_tests_lab_shares_nothing_with_the_shipped_one() -> None:
    ours, theirs = settings.lab("lab"), settings.lab("e2e")
    assert not [one for one in _ranges(ours) for other in _ranges(theirs) if one.overlaps(other)]
    assert {ours.lab.name, ours.lab.bridge}.isdisjoint({theirs.lab.name, theirs.lab.bridge})


def _ranges(found: LabBase) -> list[IPv4Network]:
    return [*found.sites.values(), *found.cluster.ranges.values()]


def test_an_empty_file_is_the_defaults() -> None:
    assert settings.parse({}, "here", LabBase) == LabBase()


def test_the_engines_strings_are_read_as_the_file_is() -> None:
    document = yaml.safe_load((settings.FOLDER / "Pulumi.e2e-base.yaml").read_text())["config"]
    as_strings = {key: value if isinstance(value, str) else json.dumps(value) for key, value in document.items()}
    assert settings.from_pulumi(as_strings, "e2e-base") == settings.base("e2e")


def test_pulumis_own_settings_are_let_through() -> None:
    assert settings.parse({"pulumi:disable-default-providers": ["*"]}, "here", LabBase) == LabBase()


def test_a_range_is_a_network() -> None:
    assert settings.parse({"homespun:lab": {"range": "10.9.0.0/24"}}, "here", LabBase).lab.range == IPv4Network(
        "10.9.0.0/24"
    )


def test_a_stacks_name_says_which_settings_it_has() -> None:
    assert isinstance(settings.from_pulumi({}, "home-base"), LabBase)
    assert isinstance(settings.from_pulumi({"homespun:pagePort": "30090"}, "home"), OwnPlatform)


def test_a_cluster_that_is_there_already_says_how_it_is_reached() -> None:
    config = {
        "homespun:environment": "cluster",
        "homespun:kubeconfig": "~/.kube/config",
        "homespun:context": "mine",
        "homespun:address": "192.168.1.10",
        "homespun:images": {"delivery": "registry", "registry": "registry.example.org/me"},
    }
    found = settings.parse_platform(config, "here")
    assert isinstance(found, GivenPlatform)
    assert found.kubeconfig == Path.home() / ".kube/config"


def test_a_machine_has_the_same_address_and_pods_whoever_comes_or_goes() -> None:
    three = [{"name": f"m{number}", "number": number} for number in range(3)]
    all_ = settings.parse({"homespun:machines": three}, "here", LabBase)
    without = settings.parse({"homespun:machines": [three[0], three[2]]}, "here", LabBase)
    assert without.members[1] == all_.members[2]
    assert (str(all_.members[2].address), str(all_.members[2].pods)) == ("10.41.0.12", "10.42.2.0/24")
    assert all_.joined is None


def test_a_node_has_its_lans_address_at_the_control_planes_site_and_elsewhere_one_of_the_meshs() -> None:
    config = {
        "homespun:lab": {"sites": [{"name": "away", "bridge": "hs-away", "range": "10.9.0.0/24"}]},
        "homespun:machines": [{"name": "m0", "number": 0}, {"name": "m2", "number": 2, "site": "away"}],
    }
    found = settings.parse(config, "here", LabBase)
    here, there = found.members
    assert (str(here.lan), str(here.address)) == ("10.41.0.10", "10.41.0.10")
    assert (str(there.lan), str(there.address)) == ("10.9.0.12", "10.48.0.12")
    assert found.joined
    assert found.joined.control_url == "https://10.41.0.10:8443"


HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPZ1qQ3Uq0O0dCw3mVYpM1r8mUuTn1l8o3c8tq0b0000"
AT_HOME: dict[str, Any] = {
    "homespun:environment": "home",
    "homespun:machines": [
        {"name": "desk", "number": 0, "address": "192.168.1.20", "hostKey": HOST_KEY},
        {"name": "attic", "number": 3, "address": "192.168.1.21", "hostKey": HOST_KEY, "user": "me", "port": 2222},
    ],
}


def test_machines_at_home_have_the_addresses_that_they_have() -> None:
    found = settings.parse_base(AT_HOME, "here")
    assert isinstance(found, HomeBase)
    desk, attic = found.members
    assert (desk.role, str(desk.lan), str(desk.address)) == ("control-plane", "192.168.1.20", "192.168.1.20")
    assert (attic.role, str(attic.lan), str(attic.pods)) == ("worker", "192.168.1.21", "10.42.3.0/24")
    assert found.joined is None


def test_a_host_key_is_pinned_as_ssh_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path))
    found = settings.parse_base(AT_HOME, "here")
    assert isinstance(found, HomeBase)
    own.pin(found)
    lines = [Path(one.known_hosts).read_text() for one in own.connections(found).values()]
    assert lines == [f"192.168.1.20 {HOST_KEY}\n", f"[192.168.1.21]:2222 {HOST_KEY}\n"]


def test_a_machine_that_settings_no_longer_name_can_be_spoken_to_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path))
    both = settings.parse_base(AT_HOME, "here")
    one = settings.parse_base({**AT_HOME, "homespun:machines": AT_HOME["homespun:machines"][:1]}, "here")
    assert isinstance(both, HomeBase)
    assert isinstance(one, HomeBase)
    own.pin(both)
    own.pin(one)
    assert Path(own.connections(both)["attic"].known_hosts).exists()


def test_machines_at_another_site_are_joined_by_a_mesh_and_may_have_public_addresses() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPZ1qQ3Uq0O0dCw3mVYpM1r8mUuTn1l8o3c8tq0b0000"
    config = {
        "homespun:environment": "home",
        "homespun:mesh": {"address": "203.0.113.7"},
        "homespun:machines": [
            {"name": "desk", "number": 0, "address": "192.168.1.20", "hostKey": key},
            {"name": "vps", "number": 1, "site": "away", "address": "8.8.8.8", "hostKey": key},
        ],
    }
    found = settings.parse_base(config, "here")
    assert isinstance(found, HomeBase)
    assert found.joined
    assert found.joined.control_url == "https://203.0.113.7:8443"
    desk, vps = found.members
    assert (str(desk.lan), str(desk.address)) == ("192.168.1.20", "192.168.1.20")
    assert (str(vps.lan), str(vps.address)) == ("8.8.8.8", "10.48.0.11")
    assert list(found.over_the_mesh("vps").values()) == [IPv4Network("192.168.1.20")]
    assert found.over_the_mesh("desk") == {}


def test_machines_that_meet_at_tailscales_service_need_no_way_to_the_first_one() -> None:
    config = {
        **AT_HOME,
        "homespun:mesh": {"control": "tailscale", "adopt": True},
        "homespun:vast": {"maxUsdPerHour": 1},
        "homespun:rented": [{"name": "gpu", "number": 7, "maxUsdPerHour": 0.4}],
    }
    found = settings.parse_base(config, "here")
    assert found.joined
    assert found.joined.control_url == "https://controlplane.tailscale.com"
    assert (found.joined.authority, found.joined.headscale_port) == (False, None)
    assert tools_of(found) == (*TOOLS, *MESH_TOOLS)


def test_one_machine_is_in_a_tailnet_where_other_devices_are_to_find_it() -> None:
    alone = {**AT_HOME, "homespun:machines": AT_HOME["homespun:machines"][:1]}
    assert settings.parse_base(alone, "here").joined is None
    mesh = {"control": "tailscale", "domain": "home.internal"}
    found = settings.parse_base({**alone, "homespun:mesh": mesh}, "here").joined
    assert found
    assert (found.domain, found.control_url) == ("home.internal", "https://controlplane.tailscale.com")
    with pytest.raises(settings.SettingsError, match=r"domain: expected none where .* a headscale"):
        settings.parse_base({**alone, "homespun:mesh": {"domain": "home.internal"}}, "here")


def test_a_lab_that_meets_at_tailscales_service_lets_in_wireguard_alone() -> None:
    config = {
        "homespun:mesh": {"control": "tailscale"},
        "homespun:lab": {"sites": [{"name": "away", "bridge": "hs-away", "range": "10.9.0.0/24"}]},
        "homespun:machines": [{"name": "m0", "number": 0}, {"name": "m2", "number": 2, "site": "away"}],
    }
    lans = sites.networks(settings.parse(config, "here", LabBase))
    assert (lans["home"].published, lans["away"].published) == (("udp dport 41642",), ())
