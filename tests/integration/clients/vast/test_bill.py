"""The tests' market bills as vast.ai says that it does: budgets are tested against it."""

from decimal import Decimal

import pytest

from homespun.clients.vast.client import Vast
from tests.integration.clients.vast.intents import VM, bidding
from tests.integration.parts.vast_api import VastApi
from tests.integration.parts.vast_market import Market


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(vast_api: VastApi) -> Clock:
    vast_api.market.clock = Clock()
    return vast_api.market.clock


def _after(clock: Clock, market: Market, seconds: float) -> Decimal:
    before = market.spent
    clock.now += seconds
    return market.spent - before


def test_by_the_second_gpus_while_it_runs_and_disk_while_it_exists(vast_api: VastApi, vast: Vast, clock: Clock) -> None:
    market = vast_api.market
    market.on_create = lambda instance: None
    created = vast.create(market.offer(dph_base=0.36, storage_cost=0.15).id, VM)
    instance = market.instances[created.id]
    disk = Decimal("0.03") / 3600  # a second, of 144 GB
    assert _after(clock, market, 600) == pytest.approx(600 * disk)
    instance.run()
    assert _after(clock, market, 90) == pytest.approx(90 * (disk + Decimal("0.0001")))
    instance.stop()
    assert _after(clock, market, 3600) == pytest.approx(3600 * disk)
    instance.become("offline")
    assert _after(clock, market, 3600) == 0
    vast.destroy(created.id)
    assert _after(clock, market, 3600) == 0


def test_a_bid_is_what_is_paid(vast_api: VastApi, vast: Vast, clock: Clock) -> None:
    vast.create(vast_api.market.offer(dph_base=0.36, min_bid=0.1).id, bidding("0.18"))
    assert _after(clock, vast_api.market, 3600) == pytest.approx(Decimal("0.21"))


def test_without_credit_all_are_stopped(vast_api: VastApi, vast: Vast, clock: Clock) -> None:
    created = vast.create(vast_api.market.offer(dph_base=5.0).id, VM)
    clock.now += 3 * 3600
    assert vast.account().credit < 0
    assert vast_api.market.instances[created.id].actual_status == "stopped"
