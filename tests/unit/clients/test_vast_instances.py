"""What vast.ai tells of an instance becomes what can be done about it; what it would refuse is not sent."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from homespun.clients.errors import Refused
from homespun.clients.vast import instances
from homespun.clients.vast.instances import Intent, Status

VM = Intent(label="mine", image="docker.io/vastai/kvm:ubuntu_terminal", disk_gb=150, onstart="#!/bin/sh\n")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        (None, Status.PENDING),
        ("created", Status.PENDING),
        ("loading", Status.PENDING),
        ("rebooting", Status.PENDING),
        ("a word of next year", Status.PENDING),
        ("running", Status.RUNNING),
        ("stopped", Status.FAILED),
        ("frozen", Status.FAILED),
        ("exited", Status.FAILED),
        ("unknown", Status.FAILED),
        ("offline", Status.FAILED),
    ],
)
def test_each_word_has_a_meaning(word: str | None, status: Status) -> None:
    found = instances.read({"id": 1, "actual_status": word, "cur_state": "running", "intended_status": "running"})
    assert (found.status, found.word) == (status, word or "")


@pytest.mark.parametrize("word", [None, "loading", "running"])
def test_one_that_is_outbid_has_failed_whatever_the_word_still_is(word: str | None) -> None:
    states = {"cur_state": "stopped", "next_state": "stopped", "intended_status": "stopped"}
    assert instances.read({"id": 1, "actual_status": word, **states}).status is Status.FAILED


def test_one_whose_container_cannot_be_made_has_failed() -> None:
    message = "Error response from daemon: \n OCI runtime create failed: no such device"
    found = instances.read({"id": 1, "actual_status": "created", "status_msg": message})
    assert found.status is Status.FAILED
    assert found.message == "Error response from daemon: OCI runtime create failed: no such device"


def test_one_that_was_released_is_gone() -> None:
    assert instances.read({"id": 1, "actual_status": "running", "cur_state": "unloaded"}).status is Status.GONE


@pytest.mark.parametrize(
    ("row", "address"),
    [
        ({"ports": {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": "40112"}]}}, ("203.0.113.9", 40112)),
        ({"ports": {"22/tcp": [{"HostPort": 40112}]}}, ("203.0.113.9", 40112)),
        ({"ports": None}, ("ssh4.vast.ai", 10600)),
        ({"ports": {"8080/tcp": [{"HostPort": "40113"}]}}, ("ssh4.vast.ai", 10600)),
        ({"ports": "?"}, ("ssh4.vast.ai", 10600)),
        ({"ports": None, "image_uuid": "docker.io/vastai/kvm:x"}, ("", 0)),
        ({"ports": None, "ssh_host": None}, ("", 0)),
    ],
    ids=["a text", "a number", "by proxy", "another port", "nonsense", "a VM has no proxy", "not yet"],
)
def test_ssh_goes_directly_or_by_the_proxy(row: dict[str, Any], address: tuple[str, int]) -> None:
    known = {
        "id": 1,
        "public_ipaddr": "203.0.113.9\n",
        "ssh_host": "ssh4.vast.ai",
        "ssh_port": 10600,
        "image_uuid": "a",
    }
    found = instances.read({**known, **row})
    assert (found.ssh_host, found.ssh_port) == address
    assert found.address == "203.0.113.9"


def test_what_is_not_told_is_not_made_up() -> None:
    found = instances.read({"id": 1})
    assert (found.label, found.machine_id, found.dollars_an_hour, found.since) == ("", None, None, None)


@pytest.mark.parametrize(
    ("intent", "told"),
    [
        (replace(VM, label=""), "label: expected 1 to 256 characters, got 0"),
        (replace(VM, label="x" * 257), "label: expected 1 to 256 characters, got 257"),
        (replace(VM, image="vastai/kvm:x"), "image: expected docker.io/vastai/kvm:… for a VM, got 'vastai/kvm:x'"),
        (replace(VM, image="", vm=False), "image: expected a name, got none"),
        (replace(VM, disk_gb=7), "disk: expected 8 GB and more, got 7 GB"),
        (replace(VM, onstart="echo"), "onstart: expected a shebang in a VM, got none"),
        (replace(VM, onstart="#!" + "x" * 4047), "onstart: expected at most 4048 characters, got 4049"),
        (replace(VM, environment={"A": "a", "B": "x" * 257}), "environment: expected at most 256 .*, got more in B"),
        (replace(VM, environment={str(n): "x" * 256 for n in range(129)}), "environment: expected at most 32768"),
        (replace(VM, bid=Decimal(0)), "bid: expected 0.001 to 128, got 0"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_would_be_refused_or_be_another_thing_is_not_sent(intent: Intent, told: str) -> None:
    with pytest.raises(Refused, match=told):
        intent.body()


def test_a_container_needs_neither_that_image_nor_a_shebang() -> None:
    assert Intent("mine", "ubuntu:24.04", 8, onstart="echo", vm=False).body()["vm"] is False


def test_a_bid_is_a_price_and_without_one_there_is_none() -> None:
    assert replace(VM, bid=Decimal("0.12")).body()["price"] == 0.12
    assert "price" not in VM.body()
