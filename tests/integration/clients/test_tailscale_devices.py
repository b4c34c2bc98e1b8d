"""Keys let in what they were made for, once; what is to be gone is gone, however often that is said."""

from dataclasses import replace

import pytest

from homespun.clients.errors import Exhausted, Refused, Unreachable
from homespun.clients.tailscale import Tailscale
from tests.integration.parts.tailscale_api import Fault, Refusal, TailscaleApi


def test_a_key_is_for_one_device_that_is_tagged_and_stays(api: TailscaleApi, tailnet: Tailscale) -> None:
    key = tailnet.create_key(("tag:node",), ephemeral=False, expiry_seconds=600, description="homespun m0")
    assert tailnet.keys() == (replace(key, secret=""),)
    assert (key.tags, key.reusable, key.description) == (("tag:node",), False, "homespun m0")
    api.join(key.secret, "m0")
    (device,) = tailnet.devices()
    assert (device.hostname, device.tags, device.ephemeral, device.online) == ("m0", ("tag:node",), False, True)
    assert api.devices[0]["authorized"]
    assert tailnet.keys() == ()


def test_a_key_for_what_is_rented_makes_it_ephemeral(api: TailscaleApi, tailnet: Tailscale) -> None:
    api.join(tailnet.create_key(("tag:rented",), ephemeral=True, expiry_seconds=600).secret, "gpu0")
    assert tailnet.devices()[0].ephemeral


def test_an_oauth_client_makes_no_key_without_tags(by_oauth: Tailscale) -> None:
    with pytest.raises(Refused, match=r"requested tags \[\] are invalid or not permitted"):
        by_oauth.create_key((), ephemeral=False, expiry_seconds=600)


def test_nor_one_with_tags_of_others(tailnet: Tailscale) -> None:
    with pytest.raises(Refused, match=r"requested tags \['tag:theirs'\] are invalid"):
        tailnet.create_key(("tag:theirs",), ephemeral=False, expiry_seconds=600)


def test_a_description_that_is_too_long_is_told(tailnet: Tailscale) -> None:
    with pytest.raises(Refused, match="at most 50 letters"):
        tailnet.create_key(("tag:node",), ephemeral=False, expiry_seconds=600, description="m" * 51)


def test_a_key_whose_answer_is_lost_is_not_made_twice(api: TailscaleApi, tailnet: Tailscale) -> None:
    api.faults.append(Fault("POST", "/keys", lost=True))
    with pytest.raises(Unreachable):
        tailnet.create_key(("tag:node",), ephemeral=False, expiry_seconds=600)
    assert len(api.keys) == 1


def test_a_key_is_made_once_the_server_has_had_its_pause(api: TailscaleApi, tailnet: Tailscale) -> None:
    api.faults.append(Fault("POST", "/keys", refusal=Refusal(429, "slow down", headers={"Retry-After": "1"})))
    tailnet.create_key(("tag:node",), ephemeral=False, expiry_seconds=600)
    assert len(api.keys) == 1


def test_a_server_that_wants_peace_for_an_hour_is_left_in_peace(api: TailscaleApi, by_key: Tailscale) -> None:
    api.faults.append(Fault("GET", "/devices", refusal=Refusal(429, "slow down", headers={"Retry-After": "3600"})))
    with pytest.raises(Exhausted, match="slow down"):
        by_key.devices()


def test_a_revoked_key_is_no_key_and_can_be_revoked_again(api: TailscaleApi, tailnet: Tailscale) -> None:
    key = tailnet.create_key(("tag:node",), ephemeral=False, expiry_seconds=600)
    tailnet.delete_key(key.id)
    assert tailnet.keys() == ()
    tailnet.delete_key(key.id)


def test_a_device_is_deleted_though_the_answer_is_lost_and_can_be_again(api: TailscaleApi, tailnet: Tailscale) -> None:
    api.join(tailnet.create_key(("tag:node",), ephemeral=False, expiry_seconds=600).secret, "m0")
    (device,) = tailnet.devices()
    api.faults.append(Fault("DELETE", device.id, lost=True))
    tailnet.delete_device(device.id)
    assert tailnet.devices() == ()
    tailnet.delete_device(device.id)
