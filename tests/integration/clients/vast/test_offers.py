"""Offers are as they were asked for, at a price that holds."""

import json
from decimal import Decimal

import pytest

from homespun.clients.errors import Broken, Exhausted
from homespun.clients.vast.client import Vast
from homespun.clients.vast.offers import Query
from tests.integration.parts.vast_api import TOO_OFTEN, Fault, VastApi

QUERY = Query(
    disk_gb=144, gpu_names=("RTX 4090", "RTX 3090"), min_gpu_ram_mib=24000, min_down_mbps=300, min_seconds=86400
)


def _offer_others(api: VastApi) -> None:
    api.market.offer(gpu_name="RTX 3060")
    api.market.offer(gpu_ram=12288)
    api.market.offer(inet_down=100.0)
    api.market.offer(duration=3600.0)
    api.market.offer(reliability=0.9)
    api.market.offer(verification="unverified")
    api.market.offer(vms_enabled=False)
    api.market.offer(disk_space=100.0)
    api.market.offer(rented=True)


@pytest.mark.parametrize("careless", [False, True], ids=["a search that finds what was asked for", "one that does not"])
def test_only_what_was_asked_for_is_offered(vast_api: VastApi, vast: Vast, careless: bool) -> None:
    vast_api.market.careless = careless
    dear, cheap = vast_api.market.offer(dph_base=0.4), vast_api.market.offer(gpu_name="RTX 3090", dph_base=0.2)
    _offer_others(vast_api)
    assert [offer.id for offer in vast.offers(QUERY)] == [cheap.id, dear.id]


def test_the_price_holds_the_disk_that_is_meant(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer(dph_base=0.3, storage_cost=0.15, min_bid=0.12)
    (offer,) = vast.offers(QUERY)
    assert offer.dollars_an_hour == Decimal("0.33")  # 0.3, and 0.15 a GB and month for 144 GB: 0.03 an hour
    assert offer.at_bid(Decimal("0.12")) == Decimal("0.15")


def test_a_limit_counts_the_disk_too(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer(dph_base=0.3)
    assert not vast.offers(Query(disk_gb=144, max_dollars_an_hour=Decimal("0.32")))
    assert vast.offers(Query(disk_gb=144, max_dollars_an_hour=Decimal("0.33")))


def test_a_machine_that_failed_is_left_out(vast_api: VastApi, vast: Vast) -> None:
    failed, other = vast_api.market.offer(), vast_api.market.offer()
    found = vast.offers(Query(disk_gb=10, excluded_machines=frozenset({failed.machine_id})))
    assert [offer.machine_id for offer in found] == [other.machine_id]


def test_for_a_bid_the_least_is_told(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.offer(dph_base=0.3, min_bid=0.12)
    (offer,) = vast.offers(Query(disk_gb=144, interruptible=True))
    assert offer.min_bid == Decimal("0.12")
    assert offer.dollars_an_hour == Decimal("0.15")


def test_one_offer_that_cannot_be_read_hides_no_other(vast_api: VastApi, vast: Vast) -> None:
    good, bad = vast_api.market.offer(), {"id": 1, "machine_id": 2}
    row = good.row(0, 8, False)
    vast_api.fail("search", Fault(200, _offers(bad, row)))
    assert [offer.id for offer in vast.offers(Query(disk_gb=10))] == [good.id]


@pytest.mark.parametrize("body", ["[]", "{}", '{"offers": null}', '{"offers": [{"id": 1}]}', "<html>"])
def test_an_answer_that_is_none_is_not_taken_for_no_offers(vast_api: VastApi, vast: Vast, body: str) -> None:
    vast_api.fail("search", Fault(200, body))
    with pytest.raises(Broken):
        vast.offers(QUERY)


def test_a_search_too_many_is_not_repeated(vast_api: VastApi, vast: Vast) -> None:
    """At the end of the day's quota vast.ai asks for a pause of hours."""
    vast_api.fail("search", TOO_OFTEN)
    with pytest.raises(Exhausted):
        vast.offers(QUERY)
    assert vast_api.asked["search"] == 1


def _offers(*rows: object) -> str:
    return json.dumps({"offers": rows})
