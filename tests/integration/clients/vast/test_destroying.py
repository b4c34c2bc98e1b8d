"""What is not known to be destroyed is an error that says how to end it by hand."""

import pytest

from homespun.clients.vast.client import Vast
from homespun.clients.vast.errors import NotDestroyed
from tests.integration.clients.vast.conftest import ATTEMPTS, NOBODY, client
from tests.integration.clients.vast.intents import VM
from tests.integration.parts.vast_api import BAD_GATEWAY, NO_SUCCESS, REPLY_LOST, TOO_OFTEN, Fault, VastApi


@pytest.fixture
def rented(vast_api: VastApi, vast: Vast) -> int:
    return vast.create(vast_api.market.offer().id, VM).id


@pytest.mark.parametrize("fault", [REPLY_LOST, BAD_GATEWAY, TOO_OFTEN], ids=["lost", "502", "429"])
def test_it_is_asked_for_again_until_it_is_done(vast_api: VastApi, vast: Vast, rented: int, fault: Fault) -> None:
    vast_api.fail("destroy", fault)
    vast.destroy(rented)
    assert not vast_api.market.instances


def test_what_is_gone_is_destroyed(vast: Vast, rented: int) -> None:
    vast.destroy(rented)
    vast.destroy(rented)


@pytest.mark.parametrize(
    "fault",
    [
        TOO_OFTEN,
        Fault(502, "<html>Bad Gateway</html>"),
        NO_SUCCESS,
        Fault(200, "{}"),
        Fault(200, ""),
        Fault(404, "<html>Not Found</html>"),
        Fault(404, '{"error": "auth_error", "msg": "Session expired. Please log in again."}'),
        Fault(403, '{"success": false, "error": "forbidden", "msg": "not yours"}'),
    ],
    ids=["429", "502", "no success", "nothing", "empty", "a proxy's 404", "session expired", "403"],
)
def test_else_it_says_how_to_end_it_by_hand(vast_api: VastApi, vast: Vast, rented: int, fault: Fault) -> None:
    vast_api.fail("destroy", fault, times=ATTEMPTS)
    with pytest.raises(NotDestroyed, match=f"NOT DESTROYED.*vastai destroy instance {rented}") as raised:
        vast.destroy(rented)
    assert raised.value.instance_id == rented
    assert rented in vast_api.market.instances


def test_nobody_answers() -> None:
    with pytest.raises(NotDestroyed, match="by hand"):
        client(NOBODY).destroy(1)
