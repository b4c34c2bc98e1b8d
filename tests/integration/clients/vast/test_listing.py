"""All instances are told, or none: an answer that is not whole is an error."""

import pytest

from homespun.clients.errors import Broken, Denied, Missing, Refused
from homespun.clients.vast.client import Vast
from homespun.clients.vast.errors import Incomplete
from tests.integration.clients.vast.conftest import client
from tests.integration.clients.vast.intents import named
from tests.integration.parts.vast_api import NO_SUCCESS, REPLY_LOST, Fault, VastApi

PAGE = '{"success": true, "instances_found": %s, "total_instances": %s, "next_token": %s, "instances": %s}'


def _rent(api: VastApi, count: int) -> list[int]:
    request = {"image": "i", "disk": 8.0, "vm": False, "onstart": None, "price": None, "env": {}, "runtype": "ssh"}
    return [
        api.market.rent(api.market.offer().id, {**request, "label": f"n{number % 50}"}).id for number in range(count)
    ]


def test_none_is_none(vast: Vast) -> None:
    assert vast.instances() == ()


@pytest.mark.parametrize("count", [1, 25, 26, 60])
def test_all_pages_are_walked(vast_api: VastApi, vast: Vast, count: int) -> None:
    rented = _rent(vast_api, count)
    assert [instance.id for instance in vast.instances()] == rented


def test_a_label_is_found_on_any_page_and_twice_if_it_is(vast_api: VastApi, vast: Vast) -> None:
    rented = _rent(vast_api, 60)
    assert [instance.id for instance in vast.by_label("n3")] == [rented[3], rented[53]]
    assert vast.by_label("n60") == ()


def test_a_page_that_is_missing_is_noticed(vast_api: VastApi, vast: Vast) -> None:
    _rent(vast_api, 60)
    vast_api.skipped_page = True
    with pytest.raises(Incomplete, match="expected 60, got 35"):
        vast.by_label("n3")


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "",
        "<html>",
        '{"instances_found": 0, "instances": []}',  # what v0 has for none
        PAGE % (0, 3, "null", "[]"),
        PAGE % (1, 1, "null", "[]"),
        PAGE % (0, "null", "null", "[]"),
        PAGE % (0, 0, "null", "null"),
        PAGE % (0, 0, "7", "[]"),
        PAGE % (1, 1, "null", '[{"label": "without an id"}]'),
        PAGE % (1, 1, "null", '[{"id": 1, "label": 2}]'),
        PAGE % (1, 1, "null", "[null]"),
    ],
)
def test_an_answer_that_is_not_whole_is_never_taken_for_none(vast_api: VastApi, vast: Vast, body: str) -> None:
    vast_api.fail("list", Fault(200, body))
    with pytest.raises(Broken):
        vast.by_label("n3")


def test_nor_is_one_without_success(vast_api: VastApi, vast: Vast) -> None:
    vast_api.fail("list", NO_SUCCESS)
    with pytest.raises(Refused):
        vast.instances()


def test_a_walk_that_goes_round_ends(vast_api: VastApi, vast: Vast) -> None:
    vast_api.fail("list", Fault(200, PAGE % (0, 3, '"again"', "[]")), times=9)
    with pytest.raises(Incomplete, match="the same again"):
        vast.instances()


def test_a_reply_that_was_lost_is_asked_for_again(vast_api: VastApi, vast: Vast) -> None:
    rented = _rent(vast_api, 2)
    vast_api.fail("list", REPLY_LOST)
    assert [instance.id for instance in vast.instances()] == rented


def test_a_wrong_key_says_of_no_instance_that_it_is_gone(vast_api: VastApi, vast: Vast) -> None:
    (number,) = _rent(vast_api, 1)
    stranger = client(vast_api.url, key="another-account-key-0123456789")
    with pytest.raises(Denied):
        stranger.instances()
    with pytest.raises(Denied):
        stranger.show(number)
    vast_api.fail("show", Fault(404, '{"error": "auth_error", "msg": "Session expired. Please log in again."}'))
    with pytest.raises(Denied):
        vast.show(number)


def test_one_that_was_destroyed_is_gone_however_it_is_told(vast_api: VastApi, vast: Vast) -> None:
    for body in ('{"instances": null}', '{"instances": {}}'):
        vast_api.fail("show", Fault(200, body))
        assert vast.show(1) is None
    vast_api.fail("show", Fault(404, '{"success": false, "error": "no_such_instance", "msg": "Instance 1 not found."}'))
    assert vast.show(1) is None


@pytest.mark.parametrize(
    "body", ["{}", '{"instances": []}', '{"instances": {"id": 2}}', '{"instances": {"label": "x"}}']
)
def test_an_answer_about_another_is_not_taken_for_gone(vast_api: VastApi, vast: Vast, body: str) -> None:
    vast_api.fail("show", Fault(200, body))
    with pytest.raises(Broken):
        vast.show(1)


def test_nor_is_a_proxys_404(vast_api: VastApi, vast: Vast) -> None:
    vast_api.fail("show", Fault(404, "<html>Not Found</html>"))
    with pytest.raises(Missing):
        vast.show(1)


def test_labels_are_found_whoever_set_them(vast_api: VastApi, vast: Vast) -> None:
    created = vast.create(vast_api.market.offer().id, named("before"))
    vast_api.market.instances[created.id].label = None
    assert vast.by_label("before") == ()
    assert [instance.label for instance in vast.instances()] == [""]
