"""A tailnet at Tailscale's service as Pulumi has it: nothing of anybody's is changed, and nothing of ours stays."""

import json
from typing import Any

import pytest

from cli.obstacles import tailnet_obstacles
from homespun.clients.errors import Denied, InvalidPolicy
from homespun.clients.hujson import standard
from stacks import settings
from stacks.mesh import control, marked, policy, tailscale
from stacks.mesh.errors import MeshError
from stacks.mesh.tailscale import TailscaleProvider
from tests.integration.parts.tailscale_api import (
    API_KEY,
    CLIENT_ID,
    CLIENT_SECRET,
    DEFAULT_POLICY,
    Fault,
    Refusal,
    TailscaleApi,
)

pytestmark = pytest.mark.usefixtures("credential")
PROVIDER = TailscaleProvider()
NETWORKS = ["10.42.0.0/16", "192.168.1.20/32"]
THEIRS = """{
  // since 2021
  "tagOwners": {
    "tag:nas": [],
  },
  "acls": [
    {"action": "accept", "src": ["tag:nas"], "dst": ["tag:nas:22"]}, // backups
  ],
  "tests": [{"src": "tag:nas", "accept": ["tag:nas:22"]}],
}
"""


def asked(adopt: bool = False, networks: list[str] = NETWORKS) -> dict[str, Any]:
    """The inputs, as the program gives them."""
    part = policy.part(networks)
    url = "https://controlplane.tailscale.com"
    return {"url": url, "cluster": "home", "networks": networks, "named": False, "adopt": adopt, "policy": part}


def said(api: TailscaleApi) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(standard(api.policy))
    return found


def test_to_the_untouched_default_ours_is_added_unasked_and_what_was_open_stays_open(api: TailscaleApi) -> None:
    made = PROVIDER.create(asked())
    assert said(api)["grants"] == [policy.rule("grants", NETWORKS), {"src": ["*"], "dst": ["*"], "ip": ["*"]}]
    assert said(api)["autoApprovers"]["routes"] == {network: [policy.TAG] for network in NETWORKS}
    assert made.outs
    PROVIDER.delete(made.id, made.outs)
    assert api.policy == DEFAULT_POLICY


def test_one_in_use_is_left_alone_and_what_would_be_added_is_shown(api: TailscaleApi) -> None:
    api.edit(THEIRS)
    with pytest.raises(MeshError, match=r"somebody's; nothing was changed.*adopt: true") as refused:
        PROVIDER.create(asked())
    assert api.policy == THEIRS
    lines = str(refused.value).splitlines()[1:]
    assert [line for line in lines if line.startswith("-")] == ["--- the policy"]
    assert '+    {"action": "accept", "src": ["tag:homespun"' in str(refused.value)


def test_so_is_one_that_only_says_what_the_default_says(api: TailscaleApi) -> None:
    api.edit(DEFAULT_POLICY)
    with pytest.raises(MeshError, match="adopt: true"):
        PROVIDER.create(asked())
    assert api.policy == DEFAULT_POLICY
    PROVIDER.create(asked(adopt=True))
    assert marked.removed(api.policy, "home") == DEFAULT_POLICY


def test_adopted_it_has_our_part_once_and_gives_it_back_to_the_byte(api: TailscaleApi) -> None:
    api.edit(THEIRS)
    made = PROVIDER.create(asked(adopt=True))
    with_ours, version = api.policy, api.version
    assert marked.removed(with_ours, "home") == THEIRS
    PROVIDER.create(asked())  # a try that was cut off is begun again; nobody is asked twice
    assert (api.policy, api.version) == (with_ours, version)
    PROVIDER.delete(made.id, asked())
    assert api.policy == THEIRS


def test_other_networks_are_another_part_in_the_same_place(api: TailscaleApi) -> None:
    api.edit(THEIRS)
    PROVIDER.create(asked(adopt=True))
    more = asked(networks=[*NETWORKS, "192.168.1.21/32"])
    difference = PROVIDER.diff("", asked(), more)
    assert (difference.changes, difference.replaces) == (True, [])
    PROVIDER.update("", asked(), more)
    assert "192.168.1.21/32" in said(api)["autoApprovers"]["routes"]
    assert marked.removed(api.policy, "home") == THEIRS


def test_what_somebody_changes_elsewhere_is_no_drift_and_stays(api: TailscaleApi) -> None:
    api.edit(THEIRS)
    PROVIDER.create(asked(adopt=True))
    api.edit(
        api.policy.replace("// backups", '// backups\n    {"action": "accept", "src": ["tag:nas"], "dst": ["*:1"]},')
    )
    read = PROVIDER.read("", asked(adopt=True))
    assert read.outs == asked(adopt=True)
    PROVIDER.delete("", asked())
    assert len(said(api)["acls"]) == 2


def test_what_somebody_changes_of_ours_is_drift_and_mended(api: TailscaleApi) -> None:
    api.edit(THEIRS)
    PROVIDER.create(asked(adopt=True))
    before = api.policy
    api.edit(before.replace('"192.168.1.20/32": ["tag:homespun"]', '"192.168.1.20/32": []'))
    read = PROVIDER.read("", asked())
    assert read.outs
    assert '"192.168.1.20/32": []' in read.outs["policy"]
    assert PROVIDER.diff("", read.outs, asked()).changes
    PROVIDER.update("", read.outs, asked())
    assert api.policy == before


def test_where_ours_was_taken_away_leave_is_asked_for_once_more(api: TailscaleApi) -> None:
    api.edit(THEIRS)
    PROVIDER.create(asked(adopt=True))
    api.edit(THEIRS)
    read = PROVIDER.read("", asked())
    assert read.outs
    assert read.outs["policy"] == tailscale.NONE
    with pytest.raises(MeshError, match="adopt: true"):
        PROVIDER.update("", read.outs, asked())


def test_of_a_service_that_does_not_answer_all_is_as_recorded(api: TailscaleApi) -> None:
    api.faults.append(Fault("GET", "/acl", refusal=Refusal(429, "slow down", headers={"Retry-After": "3600"})))
    assert PROVIDER.read("", asked()).outs == asked()


def test_doctor_says_so_before_anything_is_touched(api: TailscaleApi) -> None:
    sites = {"sites": [{"name": "away", "bridge": "hs-away", "range": "10.9.0.0/24"}]}
    machines = [{"name": "m0", "number": 0}, {"name": "m2", "number": 2, "site": "away"}]
    config = {"homespun:lab": sites, "homespun:machines": machines, "homespun:mesh": {"control": "tailscale"}}
    found = settings.parse_base(config, "here")
    assert tailnet_obstacles(found, "home") == []
    api.edit(THEIRS)
    [line] = tailnet_obstacles(found, "home")
    assert "adopt: true} allows to add to it what follows" in line
    api.faults.append(Fault("GET", "/acl", refusal=Refusal(429, "slow down", headers={"Retry-After": "3600"})))
    assert tailnet_obstacles(found, "home") == []  # what is up can do without
    assert api.policy == THEIRS


def test_what_somebody_changes_meanwhile_is_not_overwritten(api: TailscaleApi) -> None:
    api.edit(THEIRS)
    refused = Refusal(412, "precondition failed, invalid old hash")
    api.faults.append(Fault("POST", "/acl", refusal=refused))
    with pytest.raises(MeshError, match=r"it was changed since it was read; nothing was replaced\. Run it again"):
        PROVIDER.create(asked(adopt=True))
    assert api.policy == THEIRS


def test_a_policy_whose_own_tests_would_fail_with_ours_is_not_put(api: TailscaleApi) -> None:
    theirs = THEIRS.replace('"tests": [', '"tests": [{"src": "tag:homespun", "deny": ["tag:homespun:22"]}, ')
    api.edit(theirs)
    with pytest.raises(InvalidPolicy, match=r'tag:homespun: address "tag:homespun:22": want: Drop, got: Accept'):
        PROVIDER.create(asked(adopt=True))
    assert api.policy == theirs
    assert ("POST", "/api/v2/tailnet/-/acl") not in api.asked


def test_what_names_our_tag_has_to_go_before_our_part_does(api: TailscaleApi) -> None:
    api.edit(THEIRS)
    PROVIDER.create(asked(adopt=True))
    api.edit(api.policy.replace('"dst": ["tag:nas:22"]', '"dst": ["tag:nas:22", "tag:homespun:22"]'))
    before = api.policy
    with pytest.raises(MeshError, match=r'tag not found: "tag:homespun".*what else names tag:homespun has to go first'):
        PROVIDER.delete("", asked())
    assert api.policy == before


def test_where_there_is_nothing_of_ours_to_take_out_that_is_told(
    api: TailscaleApi, capfd: pytest.CaptureFixture[str]
) -> None:
    PROVIDER.delete("", asked())
    assert (
        "expected our part in it, home's, found none. Is this the credential of the tailnet" in capfd.readouterr().err
    )
    assert api.policy == DEFAULT_POLICY


def test_a_second_cluster_is_refused(api: TailscaleApi) -> None:
    PROVIDER.create(asked())
    with pytest.raises(MeshError, match="expected no cluster in it but lab, found home"):
        PROVIDER.create({**asked(adopt=True), "cluster": "lab"})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "found none"),
        ({control.CLIENT_ID: CLIENT_ID}, f"found only {control.CLIENT_ID}"),
        ({control.CLIENT_SECRET: CLIENT_SECRET, control.API_KEY: API_KEY}, f"found only {control.CLIENT_SECRET}"),
    ],
    ids=["none", "a client without its secret", "a secret without its client"],
)
def test_without_a_credential_nothing_is_begun(
    api: TailscaleApi, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], found: str
) -> None:
    monkeypatch.delenv(control.API_KEY)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (failure,) = PROVIDER.check({}, asked()).failures or []
    assert "TAILSCALE_OAUTH_CLIENT_ID and TAILSCALE_OAUTH_CLIENT_SECRET" in failure.reason
    assert failure.reason.endswith(found)
    assert api.asked == []


def test_an_oauth_client_is_taken_first(api: TailscaleApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(control.CLIENT_ID, CLIENT_ID)
    monkeypatch.setenv(control.CLIENT_SECRET, CLIENT_SECRET)
    assert not PROVIDER.check({}, asked()).failures
    PROVIDER.create(asked())
    assert ("POST", "/api/v2/oauth/token") in api.asked


def test_no_secret_is_in_an_error_or_in_what_pulumi_keeps(
    api: TailscaleApi, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    api.edit(THEIRS)
    with pytest.raises(MeshError) as refused:
        PROVIDER.create(asked())
    kept = PROVIDER.create(asked(adopt=True)).outs
    monkeypatch.setenv(control.API_KEY, f"{API_KEY}-wrong")
    with pytest.raises(Denied, match="401: API token invalid") as denied:
        PROVIDER.delete("", asked())
    shown = f"{refused.value} {denied.value} {kept} {vars(PROVIDER)} {capfd.readouterr()}"
    assert "nothing-may-show-this" not in shown


def test_who_leaves_leaves_no_device_and_no_rule_whatever_pulumi_knows(api: TailscaleApi) -> None:
    PROVIDER.create(asked())
    server = control.tailscale()
    for name in ("desk", "vps"):
        api.join(server.create_key((policy.TAG,), ephemeral=False, expiry_seconds=600).secret, name)
    api.join(server.create_key(("tag:node",), ephemeral=False, expiry_seconds=600).secret, "desk")
    assert tailscale.leave("home", ["desk", "vps"]) == ["device desk", "device vps", "part of the policy"]
    assert [device["tags"] for device in api.devices] == [["tag:node"]]
    assert api.policy == DEFAULT_POLICY
    assert tailscale.leave("home", ["desk", "vps"]) == []


def test_who_leaves_takes_nothing_of_another_clusters(api: TailscaleApi) -> None:
    PROVIDER.create({**asked(), "cluster": "lab"})
    key = control.tailscale().create_key((policy.TAG,), ephemeral=False, expiry_seconds=600)
    api.join(key.secret, "desk")
    assert tailscale.leave("home", ["desk"]) == []
    assert len(api.devices) == 1
