"""No credential, and nothing that an instance is given, is in an error or in what is printed of a value."""

import traceback

import pytest

from homespun.clients.errors import ServiceError
from homespun.clients.vast.client import Vast
from tests.integration.clients.vast.intents import SECRET, VM
from tests.integration.parts.vast_api import ACCOUNT_KEY, ECHO, Fault, VastApi

SECRETS = (SECRET, *VM.environment.values(), SECRET[:20])


@pytest.mark.parametrize(
    "fault",
    [
        ECHO,
        Fault(500, "REQUEST"),
        Fault(400, "<pre>REQUEST</pre>"),
        Fault(200, '{"success": false, "msg": "REQUEST"}'),
        Fault(404, '{"success": false, "msg": "Invalid user key REQUEST"}'),
        Fault(400, '{"success": false, "msg": "REQUEST", "new_contract": 5}'),
    ],
    ids=["400", "500", "no JSON", "200", "denied", "created"],
)
def test_what_is_said_back_is_not_passed_on(vast_api: VastApi, vast: Vast, fault: Fault) -> None:
    vast_api.fail("create", fault)
    with pytest.raises(ServiceError) as raised:
        vast.create(vast_api.market.offer().id, VM)
    shown = "".join(traceback.format_exception(raised.value))
    assert VM.label in shown
    assert not [secret for secret in (*SECRETS, ACCOUNT_KEY) if secret in shown], shown


def test_the_accounts_own_key_which_it_is_told_is_not_passed_on(vast_api: VastApi, vast: Vast) -> None:
    vast_api.fail("account", Fault(200, f'{{"id": null, "api_key": "{ACCOUNT_KEY}"}}'))
    with pytest.raises(ServiceError) as raised:
        vast.account()
    assert ACCOUNT_KEY not in "".join(traceback.format_exception(raised.value))


def test_nor_is_any_seen_in_a_value(vast_api: VastApi, vast: Vast) -> None:
    created = vast.create(vast_api.market.offer().id, VM)
    shown = repr((vast, created, VM, vast.show(created.id), vast.account()))
    assert created.api_key
    assert not [secret for secret in (*SECRETS, ACCOUNT_KEY, created.api_key) if secret in shown]
