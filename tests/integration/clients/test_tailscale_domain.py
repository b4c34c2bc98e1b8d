"""Who is asked for the names under a domain, as Pulumi has it: our machine, and never in somebody else's place."""

from typing import Any

import pytest

from cli.obstacles import tailnet_obstacles
from cli.project import Project
from stacks import settings
from stacks.mesh import policy, tailscale
from stacks.mesh.errors import MeshError
from stacks.mesh.names import NamesProvider
from tests.integration.parts.tailscale_api import Fault, Refusal, TailscaleApi, device

pytestmark = pytest.mark.usefixtures("credential")
PROVIDER = NamesProvider()
DOMAIN = "home.internal"
OURS, THEIRS = "100.64.0.1", "100.64.0.9"
OTHERS = {"office.test": ["10.0.0.1"]}


@pytest.fixture(autouse=True)
def _machine(api: TailscaleApi) -> None:
    """A machine of ours, a device of somebody's, and a domain of somebody's."""
    for name, tags, address in (("desk", [policy.TAG], OURS), ("nas", [], THEIRS)):
        api.devices.append(device(name, id=name, nodeId=name, tags=tags, addresses=[address, "fd7a::1"]))
    api.split = dict(OTHERS)


def asked(address: str = OURS, domain: str = DOMAIN) -> dict[str, Any]:
    return {"url": "https://controlplane.tailscale.com", "domain": domain, "servers": [address]}


def test_it_is_added_beside_others_and_taken_away_without_them(api: TailscaleApi) -> None:
    made = PROVIDER.create(asked())
    assert api.split == {**OTHERS, DOMAIN: [OURS]}
    assert made.outs
    PROVIDER.delete(made.id, made.outs)
    assert api.split == OTHERS


def test_a_domain_that_somebody_else_is_asked_for_is_left_alone_and_told_beforehand(
    api: TailscaleApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.split = {DOMAIN: [THEIRS]}
    with pytest.raises(MeshError, match=rf"{DOMAIN}: expected none .*, found {THEIRS}; nothing was changed"):
        PROVIDER.create(asked())
    assert api.split == {DOMAIN: [THEIRS]}
    config = {
        "homespun:environment": "home",
        "homespun:mesh": {"control": "tailscale", "domain": DOMAIN},
        "homespun:machines": [
            {"name": "desk", "number": 0, "address": "192.168.1.20", "user": "me", "identity": "/k",
             "hostKey": f"ssh-ed25519 {'A' * 68}"},
        ],
    }  # fmt: skip
    assert f"found {THEIRS}" in tailnet_obstacles(settings.parse_base(config, "here"), "home")[0]
    with monkeypatch.context() as recorded:  # what we put there is ours, though its machine has joined anew since
        recorded.setattr(Project, "recorded", lambda stack, kind: [{"ours": [THEIRS]}] if kind == "Names" else [])
        assert tailnet_obstacles(settings.parse_base(config, "here"), "home") == []
    api.split = {}
    assert tailnet_obstacles(settings.parse_base(config, "here"), "home") == []


def test_a_machine_that_joined_anew_takes_the_place_of_what_it_was(api: TailscaleApi) -> None:
    made = PROVIDER.create(asked())
    api.devices[0]["addresses"] = ["100.64.0.7"]
    news = asked("100.64.0.7")
    assert made.outs
    assert not PROVIDER.diff(made.id, made.outs, asked()).changes
    assert PROVIDER.diff(made.id, made.outs, news).changes
    PROVIDER.update(made.id, made.outs, news)
    assert api.split == {**OTHERS, DOMAIN: ["100.64.0.7"]}


def test_another_domain_is_another_entry() -> None:
    assert PROVIDER.diff(DOMAIN, asked(), asked(domain="hut.internal")).replaces == ["domain"]


def test_a_refresh_shows_what_somebody_changed_which_stays_theirs(api: TailscaleApi) -> None:
    made = PROVIDER.create(asked())
    assert made.outs
    api.split[DOMAIN] = [THEIRS]
    found = PROVIDER.read(made.id, made.outs)
    assert found.outs
    assert found.outs["servers"] == [THEIRS]
    assert PROVIDER.diff(made.id, found.outs, asked()).changes
    with pytest.raises(MeshError, match="nothing was changed"):
        PROVIDER.update(made.id, found.outs, asked())
    PROVIDER.delete(made.id, found.outs)
    assert api.split[DOMAIN] == [THEIRS]
    del api.split[DOMAIN]
    assert not PROVIDER.read(made.id, made.outs).id
    api.faults.append(Fault("GET", "/split-dns", refusal=Refusal(404, "not now")))
    assert PROVIDER.read(made.id, made.outs).id == DOMAIN


def test_what_pulumi_knows_nothing_of_goes_with_the_devices(api: TailscaleApi) -> None:
    PROVIDER.create(asked())
    assert f"names under {DOMAIN}" in tailscale.leave("home", ["desk"])
    assert api.split == OTHERS
