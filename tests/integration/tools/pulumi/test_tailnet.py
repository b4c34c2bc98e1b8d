"""Our part of a policy through the engine: what a preview says, what a refresh finds, what a destroy leaves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks.mesh import control
from tests.integration.parts.pulumi import Project
from tests.integration.parts.tailscale_api import API_KEY, DEFAULT_POLICY, TailscaleApi

CHECKOUT = Path(__file__).parents[4]
PROGRAM = """
    from ipaddress import IPv4Network

    import pulumi
    from stacks.mesh.names import Names
    from stacks.mesh.tailscale import Tailscale

    config = pulumi.Config()
    url, domain, adopt = "https://controlplane.tailscale.com", config.get("domain"), config.get_bool("adopt")
    networks = [IPv4Network(one) for one in config.require("networks").split()]
    tailnet = Tailscale(url, "home", networks, named=bool(domain), adopt=bool(adopt))
    if domain:
        addresses = pulumi.Output.from_input(["100.64.0.1", "fd7a::1"])
        Names(tailnet.url, domain, addresses, pulumi.ResourceOptions(parent=tailnet))
    pulumi.export("url", tailnet.url)
"""


@pytest.fixture
def api() -> Iterator[TailscaleApi]:
    running = TailscaleApi()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def tailnet(api: TailscaleApi, project: Project) -> Project:
    project.environment |= {
        "PYTHONPATH": str(CHECKOUT),
        "HOMESPUN_STATE": str(project.folder / "homespun"),
        control.BASE_URL: api.url,
        control.API_KEY: API_KEY,
    }
    project.write(PROGRAM)
    project.configure(networks="10.42.0.0/16")
    return project


def test_names_live_through_the_engines_verbs_and_leave_nothing(api: TailscaleApi, tailnet: Project) -> None:
    tailnet.configure(domain="home.internal")
    assert "3 created" in tailnet.up()
    assert api.split == {"home.internal": ["100.64.0.1"]}
    assert '"ip": ["53", "30000-32767"]' in api.policy
    assert "3 unchanged" in tailnet.up()
    api.split = {}
    tailnet.refresh()
    assert "1 created" in tailnet.up()
    assert api.split == {"home.internal": ["100.64.0.1"]}
    tailnet.destroy()
    assert (api.split, api.policy) == ({}, DEFAULT_POLICY)


def test_our_part_lives_through_the_engines_verbs_and_leaves_nothing(api: TailscaleApi, tailnet: Project) -> None:
    tailnet.up()
    with_ours = api.policy
    assert "2 unchanged" in tailnet.up()
    tailnet.configure(networks="10.42.0.0/16 192.168.1.20/32")
    assert "192.168.1.20/32" in tailnet.preview("--diff")
    assert api.policy == with_ours
    assert "1 updated" in tailnet.up()
    with_more = api.policy
    api.edit(with_more.replace('"192.168.1.20/32": ["tag:homespun"]', '"192.168.1.20/32": []'))
    assert "~ 1 updated" in tailnet.refresh()
    tailnet.up()
    assert api.policy == with_more
    assert "nothing-may-show-this" not in tailnet.state_files()
    tailnet.destroy()
    assert api.policy == DEFAULT_POLICY


def test_a_policy_in_use_is_shown_and_left_until_it_may_be_adopted(api: TailscaleApi, tailnet: Project) -> None:
    api.edit(theirs := '{"acls": []}\n')
    said = tailnet.up(fails=True)
    assert "somebody's; nothing was changed" in said
    assert '"autoApprovers": {"routes": {"10.42.0.0/16": ["tag:homespun"]}}' in said
    assert api.policy == theirs
    tailnet.configure(adopt="true")
    tailnet.up()
    tailnet.destroy()
    assert api.policy == theirs


def test_without_a_credential_a_preview_says_what_is_missing(api: TailscaleApi, tailnet: Project) -> None:
    del tailnet.environment[control.API_KEY]
    assert "expected in the environment TAILSCALE_OAUTH_CLIENT_ID" in tailnet.preview(fails=True)
    assert api.asked == []
