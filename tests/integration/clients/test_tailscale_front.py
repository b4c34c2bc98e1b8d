"""What the end-to-end tests take for Tailscale's service: its API, and behind it a real headscale."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from homespun.clients import tailscale
from homespun.clients.headscale import Headscale as HeadscaleClient
from homespun.clients.tailscale import Tailscale
from homespun.hosts import mesh
from stacks.mesh import policy
from tests.integration.clients.test_headscale_devices import join
from tests.integration.parts.headscale import Headscale
from tests.integration.parts.tailscale_api import CLIENT_ID, CLIENT_SECRET
from tests.integration.parts.tailscale_front import TailscaleFront
from tests.integration.parts.tailscaled import Tailscaled
from tests.waiting import until

THEIRS = """{
	// Ours since 2023.
	"acls": [
		{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:member:*"]}, // phones and desks
	],
}
"""


@pytest.fixture
def front(headscale: Headscale) -> Iterator[TailscaleFront]:
    running = TailscaleFront(policy=THEIRS, server=headscale)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def tailnet(front: TailscaleFront) -> Tailscale:
    return tailscale.by_oauth_client(CLIENT_ID, CLIENT_SECRET, front.url)


def test_a_policy_with_our_part_is_one_that_headscale_takes(tailnet: Tailscale, client: HeadscaleClient) -> None:
    before = tailnet.policy()
    assert (before.text, before.untouched) == (THEIRS, False)
    with_ours = policy.added(THEIRS, "home", ["10.42.0.0/16", "192.168.1.20/32"])
    assert tailnet.check_policy(with_ours) == ()
    tailnet.put_policy(with_ours, before)
    assert client.policy().text == tailnet.policy().text == with_ours


def test_a_key_lets_a_machine_into_the_headscale_until_it_is_deleted(
    tailnet: Tailscale, client: HeadscaleClient
) -> None:
    tailnet.put_policy(policy.added(THEIRS, "home", ["10.42.0.0/16"]), tailnet.policy())
    key = tailnet.create_key((policy.TAG,), ephemeral=False, expiry_seconds=600, description="homespun m0")
    assert key.secret.startswith("hskey-auth-")
    (made,) = client.keys()
    assert made.tags == (policy.TAG,)
    tailnet.delete_key(key.id)
    assert (client.keys(), tailnet.keys()) == ((), ())


def test_a_device_is_told_as_headscale_has_it_and_deleted_there(
    tailnet: Tailscale, client: HeadscaleClient, headscale: Headscale
) -> None:
    join(headscale, "m0", "10.42.0.0/24")
    assert tailnet.devices() == client.devices()
    (device,) = tailnet.devices()
    tailnet.delete_device(device.id)
    assert client.devices() == ()


def test_a_tailscaled_of_our_configuration_is_in_by_a_key_alone_and_what_it_carries_is_approved(
    tailnet: Tailscale, headscale: Headscale, tmp_path: Path
) -> None:
    machine = Tailscaled(tmp_path / "desk", headscale.url)
    tailnet.put_policy(policy.added(THEIRS, "home", machine.carried), tailnet.policy())
    key = tailnet.create_key((policy.TAG,), ephemeral=False, expiry_seconds=600, description="homespun desk")
    machine.write(mesh.AUTHORITY, headscale.authority.read_text())
    machine.write(mesh.KEY, key.secret)
    machine.run(f"systemctl restart {mesh.TAILSCALED_UNIT}")
    try:
        until("a device", tailnet.devices, 30)
        until("its routes", lambda: set(tailnet.devices()[0].enabled_routes) == set(machine.carried), 30)
    finally:
        machine.stop()
    (device,) = tailnet.devices()
    assert (device.hostname, device.tags) == ("desk", (policy.TAG,))
    tailnet.delete_key(key.id)
    assert not json.loads(headscale.run("preauthkeys", "list"))
