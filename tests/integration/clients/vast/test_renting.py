"""What is rented becomes a machine, is found by its label, and is gone when it is destroyed."""

import time
from dataclasses import replace

import pytest

from homespun.clients.errors import Denied, Refused
from homespun.clients.vast.client import Vast
from homespun.clients.vast.errors import CreatedDespiteError, OfferTaken
from homespun.clients.vast.instances import Status
from homespun.clients.vast.offers import Query
from tests.integration.clients.vast.conftest import client
from tests.integration.clients.vast.intents import VM, bidding, named
from tests.integration.parts.vast_api import NOTHING_CAME_OF_IT, TAKEN, Fault, VastApi
from tests.integration.parts.vast_market import Instance


def test_from_an_offer_to_a_machine_and_back(vast_api: VastApi, vast: Vast) -> None:
    listing = vast_api.market.offer()
    (offer,) = vast.offers(Query(disk_gb=VM.disk_gb))
    created = vast.create(offer.id, VM)
    (instance,) = vast.by_label(VM.label)
    assert instance == vast.show(created.id)
    assert (instance.id, instance.machine_id, instance.status) == (created.id, listing.machine_id, Status.RUNNING)
    assert instance.dollars_an_hour == pytest.approx(offer.dollars_an_hour)
    assert instance.since == pytest.approx(time.time(), abs=60)
    vast.destroy(created.id)
    assert vast.show(created.id) is None
    assert vast.by_label(VM.label) == ()


def test_the_request_says_what_makes_a_vm_of_it(vast_api: VastApi, vast: Vast) -> None:
    vast.create(vast_api.market.offer().id, VM)
    (rented,) = vast_api.market.instances.values()
    wanted = ("vm", "runtype", "image", "disk", "onstart", "env", "cancel_unavail", "price")
    assert {name: rented.request[name] for name in wanted} == {
        "vm": True, "runtype": "ssh_direct", "image": VM.image, "disk": 144.0, "onstart": VM.onstart,
        "env": VM.environment, "cancel_unavail": True, "price": None,
    }  # fmt: skip


def test_a_vm_is_reached_at_its_own_port_22_once_it_is_mapped(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.on_create = lambda instance: None
    created = vast.create(vast_api.market.offer().id, VM)
    before = vast.show(created.id)
    assert before is not None
    assert (before.status, before.word, before.ssh_host, before.ssh_port) == (Status.PENDING, "loading", "", 0)
    vast_api.market.instances[created.id].run("203.0.113.9", {"22/tcp": 40112})
    after = vast.show(created.id)
    assert after is not None
    assert (after.status, after.address, after.ssh_host, after.ssh_port) == (
        Status.RUNNING, "203.0.113.9", "203.0.113.9", 40112,
    )  # fmt: skip


def test_a_machine_that_never_boots_stays_pending(vast_api: VastApi, vast: Vast) -> None:
    created = vast.create(vast_api.market.offer(boots=False).id, VM)
    found = vast.show(created.id)
    assert found is not None
    assert found.status is Status.PENDING


def test_one_that_is_outbid_has_failed(vast_api: VastApi, vast: Vast) -> None:
    created = vast.create(vast_api.market.offer(min_bid=0.12).id, bidding("0.12"))
    vast_api.market.instances[created.id].stop()
    found = vast.show(created.id)
    assert found is not None
    assert (found.status, found.word) == (Status.FAILED, "stopped")


@pytest.mark.parametrize(
    "answer",
    [
        TAKEN,
        Fault(
            404, '{"success": false, "error": "invalid_args", "msg": "error 404/3603: no_such_ask Instance type by id"}'
        ),
        Fault(
            400, '{"success": false, "error": "invalid_args", "msg": "error 404/3603: no_such_ask Instance type by id"}'
        ),
        Fault(200, '{"success": false, "error": "no_such_ask"}'),
    ],
    ids=["410", "404", "400", "200"],
)
def test_an_offer_that_is_taken_is_told_whatever_the_status(vast_api: VastApi, vast: Vast, answer: Fault) -> None:
    offer = vast_api.market.offer()
    vast_api.fail("create", answer)
    with pytest.raises(OfferTaken, match=r"offer \d+ as instance 'homespun/home/pool/7f3a': taken by another"):
        vast.create(offer.id, VM)
    assert not vast_api.market.instances


def test_of_two_who_take_an_offer_one_is_told(vast_api: VastApi, vast: Vast) -> None:
    offer = vast_api.market.offer()
    vast.create(offer.id, named("first"))
    with pytest.raises(OfferTaken):
        vast.create(offer.id, named("second"))
    with pytest.raises(OfferTaken):
        vast.create(99, named("third"))


def test_a_bid_too_low_leaves_an_instance_to_destroy(vast_api: VastApi, vast: Vast) -> None:
    offer = vast_api.market.offer(min_bid=0.12)
    with pytest.raises(CreatedDespiteError, match="destroy it") as raised:
        vast.create(offer.id, bidding("0.1"))
    assert [instance.id for instance in vast.instances()] == [raised.value.instance_id]
    vast.destroy(raised.value.instance_id)
    assert vast.instances() == ()


def test_an_account_without_credit_is_told_so(vast_api: VastApi, vast: Vast) -> None:
    vast_api.market.paid_in *= 0
    with pytest.raises(Refused, match="Your account lacks credit"):
        vast.create(vast_api.market.offer().id, VM)


def test_a_success_that_was_none_is_seen_by_looking(vast_api: VastApi, vast: Vast) -> None:
    vast_api.fail("create", NOTHING_CAME_OF_IT)
    created = vast.create(vast_api.market.offer().id, VM)
    assert vast.show(created.id) is None


def test_an_instances_key_opens_that_instance_alone(vast_api: VastApi, vast: Vast) -> None:
    mine, other = (vast.create(vast_api.market.offer().id, named(label)) for label in ("mine", "other"))
    from_inside = client(vast_api.url, key=mine.api_key)
    with pytest.raises(Denied):
        from_inside.offers(Query(disk_gb=10))
    with pytest.raises(Denied):
        from_inside.instances()
    with pytest.raises(Exception, match="NOT DESTROYED"):
        from_inside.destroy(other.id)
    from_inside.destroy(mine.id)
    assert [instance.id for instance in vast.instances()] == [other.id]


def test_a_machine_of_a_tests_own_stands_behind_an_instance(vast_api: VastApi, vast: Vast) -> None:
    booted: list[Instance] = []
    ended: list[Instance] = []
    vast_api.market.on_create, vast_api.market.on_destroy = booted.append, ended.append
    created = vast.create(vast_api.market.offer().id, replace(VM, label="hooked"))
    assert [(instance.id, instance.api_key, instance.label) for instance in booted] == [
        (created.id, created.api_key, "hooked")
    ]
    vast.destroy(created.id)
    assert ended == booted
