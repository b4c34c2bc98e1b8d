"""Who may ask headscale, and that it is headscale that answers."""

import logging

import pytest

from homespun.clients import headscale as clients
from homespun.clients.errors import Denied, ServiceError, Unreachable
from homespun.clients.headscale import Headscale as Client
from tests.integration.parts.headscale import Headscale


def test_a_wrong_key_is_told_with_where_a_right_one_comes_from(headscale: Headscale) -> None:
    wrong = clients.by_api_key(headscale.url, "hskey-api-wrong-one", str(headscale.authority))
    with pytest.raises(
        Denied, match=r"401: Unauthorized. Its credential is an API key of `headscale apikeys create`"
    ) as told:
        wrong.devices()
    assert "wrong-one" not in str(told.value)


def test_a_server_that_the_machines_authorities_do_not_vouch_for_gets_no_key(headscale: Headscale) -> None:
    with pytest.raises(Unreachable, match="SSLCertVerificationError"):
        clients.by_api_key(headscale.url, headscale.api_key()).devices()


def test_a_restart_in_between_costs_nothing(headscale: Headscale, client: Client) -> None:
    key = client.create_key(("tag:node",), ephemeral=False, expiry_seconds=600)
    headscale.stop()
    headscale.start()
    (kept,) = client.keys()
    assert kept.id == key.id


def test_no_secret_is_in_an_error_a_repr_or_a_log(
    headscale: Headscale, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = client.create_key(("tag:node",), ephemeral=False, expiry_seconds=600)
    shown = [repr(client), repr(key), repr(client.keys())]
    headscale.stop()
    with pytest.raises(ServiceError) as told:
        client.devices()
    text = "\n".join([*shown, str(told.value), caplog.text])
    assert "node" in text
    assert key.secret not in text
    assert client.service.headers["Authorization"].removeprefix("Bearer ") not in text
