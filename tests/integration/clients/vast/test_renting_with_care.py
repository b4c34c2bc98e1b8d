"""A machine is rented once, comes up or is destroyed, and whatever fails leaves nothing that costs money."""

from dataclasses import replace
from decimal import Decimal

import pytest

from homespun.clients.errors import Broken, Refused
from homespun.clients.vast import renting
from homespun.clients.vast.client import Vast
from homespun.clients.vast.errors import LostReply, NoOffer, NotUp
from homespun.clients.vast.instances import Created, Instance
from homespun.clients.vast.offers import Query
from tests.integration.clients.vast.conftest import ATTEMPTS
from tests.integration.clients.vast.intents import VM
from tests.integration.parts.vast_api import NOTHING_CAME_OF_IT, REPLY_LOST, TAKEN, Fault, VastApi

QUERY = Query(disk_gb=VM.disk_gb, max_dollars_an_hour=Decimal("0.50"))


def rent(vast: Vast, query: Query = QUERY, opens: bool = True, seconds: float = 20) -> Instance:
    """Whatever runs lets us in, if `opens`."""
    found, key = renting.rent(vast, query, VM, lambda one, made: "key" if opens else None, seconds, lambda what: None)
    assert key == "key"
    return found


def test_the_cheapest_that_is_as_asked_is_taken(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer(dph_base=0.3)
    cheapest = vast_api.market.offer(dph_base=0.2)
    vast_api.market.offer(dph_base=0.1, reliability=0.5)
    assert rent(vast).machine_id == cheapest.machine_id


def test_what_costs_more_than_one_would_pay_is_not_rented(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.careless = True  # the server's word is not taken for it
    vast_api.market.offer(dph_base=0.51)
    with pytest.raises(NoOffer, match=r"at \$0.50 an hour or less, found none"):
        rent(vast)
    assert vast_api.asked["create"] == 0


def test_an_offer_that_is_taken_leads_to_the_next(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer(dph_base=0.2)
    second = vast_api.market.offer(dph_base=0.3)
    vast_api.fail("create", TAKEN)
    assert rent(vast).machine_id == second.machine_id


def test_what_a_lost_reply_rented_is_destroyed_and_the_next_offer_taken(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer()
    second = vast_api.market.offer()
    vast_api.fail("create", REPLY_LOST)
    found = rent(vast)
    assert found.machine_id == second.machine_id
    assert list(vast_api.market.instances) == [found.id]


def test_a_lost_reply_of_which_nothing_came_is_told_and_nothing_is_rented_for_it(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer()
    vast_api.fail("create", Fault(502, "<html>Bad Gateway</html>"))
    with pytest.raises(LostReply, match="by its label"):
        rent(vast)
    assert vast_api.asked["create"] == 1
    assert not vast_api.market.instances


def test_all_that_earlier_tries_left_under_the_label_goes_and_nothing_else(vast_api: VastApi, vast: Vast) -> None:
    ended, running = (vast.create(vast_api.market.offer().id, VM).id for _ in range(2))
    vast_api.market.instances[ended].stop()
    other = vast.create(vast_api.market.offer().id, replace(VM, label="somebody's")).id
    found = rent(vast)
    assert set(vast_api.market.instances) == {other, found.id}
    assert {one.id for one in vast_api.market.destroyed} == {ended, running}


def test_the_key_of_the_instance_is_handed_to_who_reaches_it(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer()
    found, key = renting.rent(vast, QUERY, VM, lambda one, made: made.api_key, 20, lambda what: None)
    assert key == vast_api.market.instances[found.id].api_key


def test_a_machine_that_does_not_boot_is_destroyed_and_another_taken(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer(dph_base=0.1, boots=False)
    good = vast_api.market.offer(dph_base=0.2)
    found = rent(vast, seconds=1)
    assert found.machine_id == good.machine_id
    assert list(vast_api.market.instances) == [found.id]


def test_of_machines_that_let_nobody_in_none_stays(vast_api: VastApi, vast: Vast) -> None:
    for price in (0.1, 0.2, 0.3, 0.4):
        vast_api.market.offer(dph_base=price)
    with pytest.raises(NotUp, match="can be reached within"):
        rent(vast, opens=False, seconds=0.5)
    assert len(vast_api.market.destroyed) == renting.MACHINES
    assert not vast_api.market.instances


def test_one_that_vast_ai_knows_nothing_of_is_not_waited_for_long(
    vast_api: VastApi, vast: Vast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renting, "KNOWN_SECONDS", 0.3)
    vast_api.market.offer()
    vast_api.market.offer()
    vast_api.fail("create", NOTHING_CAME_OF_IT)
    assert rent(vast).id in vast_api.market.instances


def test_an_instance_that_came_of_an_error_is_destroyed(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer()
    bid = replace(VM, bid=Decimal("0.01"))
    with pytest.raises(Refused, match="it is destroyed"):
        renting.rent(vast, QUERY, bid, lambda one, made: "key", 5, lambda what: None)
    assert not vast_api.market.instances


def test_an_instance_without_a_key_of_its_own_is_destroyed_as_it_could_not_end_itself(
    vast_api: VastApi, vast: Vast
) -> None:
    vast_api.market.offer()
    vast_api.market.keyless = True
    with pytest.raises(Broken, match="expected its own key, got none; it is destroyed"):
        rent(vast)
    assert not vast_api.market.instances


def test_a_lost_reply_after_which_nobody_answers_says_that_one_may_be_rented(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer()
    vast_api.fail("create", REPLY_LOST)

    def nobody_answers() -> None:
        vast_api.fail("list", Fault(), times=50)

    vast_api.market.on_create = lambda instance: nobody_answers()
    with pytest.raises(LostReply, match=r"by its label.*looking for it failed"):
        rent(vast)
    assert vast_api.market.instances


def test_a_storm_of_errors_while_it_boots_does_not_give_it_up(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer()
    vast_api.fail("show", Fault(502, "<html>Bad Gateway</html>"), times=2 * ATTEMPTS)
    assert rent(vast).id in vast_api.market.instances


def test_what_can_be_no_node_is_destroyed_and_another_taken(vast_api: VastApi, vast: Vast) -> None:
    bad, good = vast_api.market.offer(dph_base=0.1), vast_api.market.offer(dph_base=0.2)

    def reached(found: Instance, made: Created) -> str:
        if found.machine_id == bad.machine_id:
            raise NotUp("it has another architecture")
        return "key"

    found, _ = renting.rent(vast, QUERY, VM, reached, 20, lambda what: None)
    assert found.machine_id == good.machine_id
    assert list(vast_api.market.instances) == [found.id]


def test_what_begins_with_a_prefix_and_is_not_wanted_is_reaped(vast_api: VastApi, vast: Vast) -> None:
    labels = ("homespun.home.gpu", "homespun.home.old", "homespun.home-a.gpu", "another's")
    made = {label: vast.create(vast_api.market.offer().id, replace(VM, label=label)).id for label in labels}
    assert renting.reap(vast, "homespun.home.", ["homespun.home.gpu"]) == ["homespun.home.old"]
    assert set(vast_api.market.instances) == set(made.values()) - {made["homespun.home.old"]}


def test_what_breaks_the_way_in_destroys_it(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer()

    def interrupted(_: Instance, made: Created) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        renting.rent(vast, QUERY, VM, interrupted, 5, lambda what: None)
    assert not vast_api.market.instances
