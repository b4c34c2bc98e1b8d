"""An instance is rented once, whatever becomes of the reply."""

import pytest

from homespun.clients.errors import Exhausted, Refused
from homespun.clients.vast.client import Vast
from homespun.clients.vast.errors import LostReply
from tests.integration.clients.vast.conftest import ATTEMPTS, NOBODY, client
from tests.integration.clients.vast.intents import VM
from tests.integration.parts.vast_api import BAD_GATEWAY, NO_SUCCESS, REPLY_CUT, REPLY_LOST, TOO_OFTEN, Fault, VastApi

EMPTY = Fault(200, "", done=True)
NO_ID = Fault(200, '{"success": true}', done=True)
ELSEWHERE = Fault(307, "", done=True)


@pytest.mark.parametrize(
    "fault",
    [REPLY_LOST, REPLY_CUT, BAD_GATEWAY, EMPTY, NO_ID, ELSEWHERE],
    ids=["lost", "cut", "502", "empty", "no id", "307"],
)
def test_what_was_rented_without_a_reply_is_found_by_its_label(vast_api: VastApi, vast: Vast, fault: Fault) -> None:
    offer = vast_api.market.offer()
    vast_api.fail("create", fault)
    with pytest.raises(LostReply, match="by its label"):
        vast.create(offer.id, VM)
    assert vast_api.asked["create"] == 1
    (found,) = vast.by_label(VM.label)
    assert found.id in vast_api.market.instances


def test_nobody_answers() -> None:
    with pytest.raises(LostReply, match="by its label"):
        client(NOBODY).create(1, VM)


def test_200_without_success_is_an_error(vast_api: VastApi, vast: Vast) -> None:
    vast_api.fail("create", NO_SUCCESS)
    with pytest.raises(Refused, match="it did not work"):
        vast.create(vast_api.market.offer().id, VM)
    assert vast_api.asked["create"] == 1


def test_429_is_asked_again_as_nothing_was_done(vast_api: VastApi, vast: Vast) -> None:
    vast_api.fail("create", TOO_OFTEN, times=2)
    vast.create(vast_api.market.offer().id, VM)
    assert len(vast_api.market.instances) == 1


def test_a_storm_of_429_ends_in_an_error_that_rents_nothing(vast_api: VastApi, vast: Vast) -> None:
    vast_api.fail("create", TOO_OFTEN, times=ATTEMPTS)
    with pytest.raises(Exhausted, match="too frequent"):
        vast.create(vast_api.market.offer().id, VM)
    assert not vast_api.market.instances
