"""What an offer costs, and which are taken, follow from its fields."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from homespun.clients.vast import offers
from homespun.clients.vast.offers import Query

ROW: dict[str, Any] = {
    "id": 12, "machine_id": 7, "host_id": 3, "gpu_name": "RTX 4090", "num_gpus": 1, "gpu_ram": 24564,
    "dph_base": 0.8, "dph_total": 0.8021, "storage_cost": 0.15, "min_bid": 0.3, "reliability": 0.99,
    "verification": "verified", "vms_enabled": True, "inet_down": 500.0, "duration": 90000.0, "disk_space": 200.0,
    "rentable": True, "rented": False,
}  # fmt: skip
OFFER = offers.read(ROW, disk_gb=10)


def test_the_documentations_own_example_is_priced_as_there() -> None:
    """show_instances.yaml: 10.08 GB at 0.15 are 0.0021 an hour, with 0.8 for the GPU 0.8021."""
    assert float(offers.read({**ROW, "disk_space": 10.08}, 10).disk_dollars_an_hour) == pytest.approx(0.0021, abs=2e-5)
    assert offers.read({**ROW, "dph_total": 0.8}, 1008).dollars_an_hour == Decimal("1.01")


def test_more_disk_than_the_answer_reckons_with_is_paid_for() -> None:
    assert offers.read(ROW, disk_gb=144).dollars_an_hour == Decimal("0.83")


def test_a_total_that_is_higher_than_its_parts_counts() -> None:
    assert offers.read({**ROW, "dph_total": 0.9}, 10).dollars_an_hour == Decimal("0.9")


def test_older_answers_have_the_reliability_under_another_name() -> None:
    assert offers.read({**ROW, "reliability": None, "reliability2": 0.97}, 10).reliability == 0.97


@pytest.mark.parametrize(
    "change",
    [{"id": None}, {"dph_total": "free"}, {"dph_total": float("nan")}, {"dph_base": -1}, {"gpu_ram": None},
     {"duration": None}, {"num_gpus": float("inf")}],
    ids=str,
)  # fmt: skip
def test_what_we_decide_by_must_be_there(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected an offer"):
        offers.read({**ROW, **change}, 10)


@pytest.mark.parametrize("row", [None, [], "offer", {}])
def test_what_is_no_offer_is_none(row: Any) -> None:
    with pytest.raises(ValueError, match="expected an offer"):
        offers.read(row, 10)


@pytest.mark.parametrize(
    ("query", "admitted"),
    [
        (Query(10), True),
        (Query(201), False),
        (Query(10, gpu_names=("RTX 4090",)), True),
        (Query(10, gpu_names=("RTX 3090",)), False),
        (Query(10, min_gpus=2), False),
        (Query(10, min_gpu_ram_mib=24564), True),
        (Query(10, min_gpu_ram_mib=24565), False),
        (Query(10, max_dollars_an_hour=Decimal("0.803")), True),
        (Query(10, max_dollars_an_hour=Decimal("0.80")), False),
        (Query(10, min_reliability=0.995), False),
        (Query(10, min_down_mbps=501), False),
        (Query(10, min_seconds=90001), False),
        (Query(10, excluded_machines=frozenset({7})), False),
    ],
    ids=str,
)
def test_an_offer_is_admitted_or_not(query: Query, admitted: bool) -> None:
    assert query.admits(OFFER) is admitted


@pytest.mark.parametrize(
    ("offer", "strict", "lax"),
    [(replace(OFFER, verified=False), False, True), (replace(OFFER, vms=False), False, True),
     (replace(OFFER, free=False), False, False)],
    ids=["unverified", "containers only", "rented"],
)  # fmt: skip
def test_what_need_not_be_is_not_asked_for(offer: offers.Offer, strict: bool, lax: bool) -> None:
    assert Query(10).admits(offer) is strict
    assert Query(10, verified=False, vms=False).admits(offer) is lax


def test_a_search_asks_for_what_is_needed_and_no_more() -> None:
    assert Query(10, verified=False, vms=False, min_reliability=0).body() == {
        "type": "ondemand", "limit": 64, "order": [["dph_total", "asc"]], "allocated_storage": 10,
        "rentable": {"eq": True}, "external": {"eq": False}, "disk_space": {"gte": 10}, "num_gpus": {"gte": 1},
        "reliability": {"gte": 0}, "verification": {"in": ["verified", "unverified"]},
    }  # fmt: skip


def test_a_search_with_all_of_it() -> None:
    query = Query(
        10, ("RTX 4090",), 2, 24000, Decimal("0.5"), 0.98, min_down_mbps=300, min_seconds=60,
        excluded_machines=frozenset({9, 7}), interruptible=True,
    )  # fmt: skip
    asked = query.body()
    assert asked.pop("type") == "bid"
    assert {name: value for name, value in asked.items() if isinstance(value, dict)} == {
        "rentable": {"eq": True}, "external": {"eq": False}, "disk_space": {"gte": 10}, "num_gpus": {"gte": 2},
        "reliability": {"gte": 0.98}, "verified": {"eq": True}, "vms_enabled": {"eq": True},
        "gpu_name": {"in": ["RTX 4090"]}, "gpu_ram": {"gte": 24000}, "dph_total": {"lte": 0.5},
        "inet_down": {"gte": 300}, "duration": {"gte": 60}, "machine_id": {"notin": [7, 9]},
    }  # fmt: skip
