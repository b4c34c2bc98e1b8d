"""The account: its money, and the SSH key without which there is no VM."""

import json
from decimal import Decimal

import pytest

from homespun.clients.errors import Broken, Denied, Refused
from homespun.clients.vast.client import Vast
from tests.integration.clients.vast.conftest import client
from tests.integration.clients.vast.intents import VM
from tests.integration.parts.vast_api import Fault, VastApi

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample homespun@home"


def test_its_credit_is_told(vast: Vast) -> None:
    assert vast.account().credit == Decimal("10.0")


def test_money_that_is_none_is_an_error(vast_api: VastApi, vast: Vast) -> None:
    vast_api.fail("account", Fault(200, '{"id": 7, "credit": "much"}'))
    with pytest.raises(Broken):
        vast.account()


def test_a_wrong_key_is_told_as_such(vast_api: VastApi) -> None:
    with pytest.raises(Denied, match="Invalid user key"):
        client(vast_api.url, key="another-account-key-0123456789").account()


def test_without_an_ssh_key_there_is_no_vm(vast_api: VastApi) -> None:
    vast = client(vast_api.url)
    offer = vast_api.market.offer()
    with pytest.raises(Refused, match="no_ssh_key_for_vm"):
        vast.create(offer.id, VM)
    vast.ensure_ssh_key(KEY)
    vast.create(offer.id, VM)


def test_a_key_is_added_once_whatever_its_comment(vast_api: VastApi, vast: Vast) -> None:
    vast.ensure_ssh_key(KEY)
    vast.ensure_ssh_key(KEY.replace("homespun@home", "homespun@elsewhere") + "\n")
    assert vast_api.market.ssh_keys == ["ssh-ed25519 AAAAC3Nz me@home", KEY]


def test_a_key_that_was_deleted_is_added_again(vast_api: VastApi, vast: Vast) -> None:
    row = {
        "id": 1,
        "user_id": 7,
        "key": KEY,
        "created_at": "2026-01-01T00:00:00Z",
        "deleted_at": "2026-01-02T00:00:00Z",
    }
    vast_api.fail("ssh_keys", Fault(200, json.dumps([row])))
    vast.ensure_ssh_key(KEY)
    assert vast_api.market.ssh_keys[-1] == KEY


@pytest.mark.parametrize("body", ["{}", "null", "<html>"])
def test_an_answer_that_is_no_list_adds_none(vast_api: VastApi, vast: Vast, body: str) -> None:
    vast_api.fail("ssh_keys", Fault(200, body))
    with pytest.raises(Broken):
        vast.ensure_ssh_key(KEY)
    assert not vast_api.asked["add_ssh_key"]
