"""What tailscaled says of a path becomes what people are shown, by way of a node's annotation."""

import json

import pytest

from homespun.hosts import paths as units
from homespun.hosts.programs import paths
from stacks.mesh import policy
from tests.unit.hosts.test_state import CLUSTER, member
from workloads.pages import cloud

DIRECT = "pong from m0 (100.64.0.1) via 10.37.0.10:41642 in 1ms\n"
RELAYED = "pong from m0 (100.64.0.1) via DERP(homespun) in 5.5ms\n"
SLOW = "pong from m0 (100.64.0.1) via [2001:db8::1]:41642 in 1.2s\n"
WOKEN = f"{RELAYED}{RELAYED}{DIRECT}"
NONE = 'ping "100.64.0.1" timed out\nno reply\n'


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (DIRECT, ("direct", 1.0)),
        (RELAYED, ("relay", 5.5)),
        (WOKEN, ("direct", 1.0)),
        (SLOW, ("direct", 1200.0)),
        (NONE, ("", None)),
        ("", ("", None)),
    ],
)
def test_a_ping_is_direct_or_relayed_or_not_answered(said: str, found: object) -> None:
    assert paths.answer(said) == found


@pytest.mark.parametrize(
    ("handshake", "seconds"),
    [
        ("2026-01-01T00:00:10.123456789Z", 50),
        ("2026-01-01T01:00:10+01:00", 50),
        ("2025-12-31T18:30:10.5-05:30", 50),
        ("2026-01-01T00:02:00Z", 0),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_a_handshake_is_so_many_seconds_before(handshake: str, seconds: int | None) -> None:
    assert paths.since(handshake, 1767225660.0) == seconds  # 2026-01-01T00:01:00Z


def test_a_device_of_an_owners_that_is_called_as_a_machine_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {"HostName": "m0", "TailscaleIPs": ["100.64.0.1"], "Tags": [policy.TAG]}
    theirs = {"HostName": "m0", "TailscaleIPs": ["100.64.0.9"]}
    status = json.dumps({"Peer": {"a": ours, "b": theirs, "c": {"HostName": "phone", "TailscaleIPs": []}}})
    said = {"status": status, "100.64.0.1": DIRECT}
    monkeypatch.setattr(paths, "said_by", lambda command: said.get(command[1], said.get(command[-1], "")))
    assert paths.measured(["tailscale"], ["m0"]) == [{"to": "m0", "by": "direct", "ms": 1.0, "idle": None}]


def test_the_page_reads_what_the_program_writes() -> None:
    assert cloud.PATHS == paths.ANNOTATION
    found = [{"to": "m0", "by": "direct", "ms": 1.0, "idle": 40}, {"to": "m1", "by": "relay", "ms": 5.5, "idle": None},
             {"to": "m2", "by": "", "ms": None, "idle": None}]  # fmt: skip
    assert cloud.paths(json.dumps(found)) == (
        "m0 directly in 1 ms, handshake 40 s before",
        "m1 relayed in 5.5 ms",
        "m2 does not answer",
    )


@pytest.mark.parametrize(
    "said", ["", "{}", "[1]", "[" * 100_000, '[{"to": "m0"}]', "null", '[{"to": "m0", "by": "relay", "ms": "x"}]']
)
def test_a_page_with_what_nobody_can_read_shows_no_paths(said: str) -> None:
    assert cloud.paths(said) == ()


def test_a_machine_asks_for_those_of_other_sites() -> None:
    unit = units.service(member(0), [member(1), member(2, site="away")], CLUSTER)
    assert " m2\nExecStopPost=" in unit
    assert " m1" not in unit
