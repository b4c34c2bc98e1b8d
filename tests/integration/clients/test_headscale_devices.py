"""headscale's keys and devices: made tagged and for one use, gone where they are to be gone."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from homespun.clients.errors import Refused
from homespun.clients.headscale import Headscale as Client
from tests.integration.parts.headscale import Headscale


def test_a_key_is_for_one_device_that_is_tagged(headscale: Headscale, client: Client) -> None:
    key = client.create_key(("tag:node",), ephemeral=False, expiry_seconds=600, description="kept nowhere")
    assert key.secret.startswith("hskey-auth-")
    (kept,) = json.loads(headscale.run("preauthkeys", "list"))
    assert kept["acl_tags"] == ["tag:node"]
    assert not kept.get("reusable")
    assert not kept.get("ephemeral")
    ends = datetime.fromtimestamp(kept["expiration"]["seconds"], UTC)
    assert timedelta(seconds=500) < ends - datetime.now(UTC) < timedelta(seconds=700)
    (listed,) = client.keys()
    assert (listed.id, listed.tags, listed.secret) == (key.id, ("tag:node",), "")


def test_a_key_for_what_is_rented_says_so(client: Client) -> None:
    client.create_key(("tag:rented",), ephemeral=True, reusable=True, expiry_seconds=600)
    (listed,) = client.keys()
    assert (listed.ephemeral, listed.reusable) == (True, True)


def test_a_tag_that_is_none_is_told(client: Client) -> None:
    with pytest.raises(Refused, match="tag must start with"):
        client.create_key(("node",), ephemeral=False, expiry_seconds=600)


def test_a_deleted_key_is_gone_and_can_be_deleted_again(headscale: Headscale, client: Client) -> None:
    key = client.create_key(("tag:node",), ephemeral=False, expiry_seconds=600)
    client.delete_key(key.id)
    client.delete_key(key.id)
    assert client.keys() == ()
    assert not json.loads(headscale.run("preauthkeys", "list"))


def test_a_device_is_seen_and_deleted_and_can_be_again(headscale: Headscale, client: Client) -> None:
    join(headscale, "m0", "10.42.0.0/24")
    (device,) = client.devices()
    assert (device.hostname, device.name, device.addresses) == ("m0", "m0", ("100.64.0.1", "fd7a:115c:a1e0::1"))
    assert not device.online
    client.delete_device(device.id)
    assert client.devices() == ()
    client.delete_device(device.id)


def join(headscale: Headscale, hostname: str, route: str) -> None:
    """As a person lets a device in; the device is headscale's own for tests, and never calls."""
    headscale.run("users", "create", "home")
    asked = "hskey-authreq-" + "a" * 24
    headscale.run("debug", "create-node", "--name", hostname, "--user", "home", "--key", asked, "--route", route)
    headscale.run("auth", "register", "--user", "home", "--auth-id", asked)
