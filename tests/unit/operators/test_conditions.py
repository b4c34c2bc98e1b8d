"""Conditions follow the Kubernetes conventions."""

from datetime import UTC, datetime

from operators.conditions import Finding, conditions

EARLY = datetime(2026, 1, 1, tzinfo=UTC)
LATE = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_transition_time_stands_while_the_status_does() -> None:
    first = conditions([Finding("Ready", "False", "Loading")], (), 1, EARLY)
    again = conditions([Finding("Ready", "False", "Probing", "soon")], first, 2, LATE)
    assert again[0].last_transition_time == first[0].last_transition_time == "2026-01-01T00:00:00Z"
    assert (again[0].reason, again[0].observed_generation) == ("Probing", 2)


def test_a_transition_time_moves_when_the_status_flips() -> None:
    first = conditions([Finding("Ready", "False", "Loading")], (), 1, EARLY)
    again = conditions([Finding("Ready", "True", "Answered")], first, 1, LATE)
    assert again[0].last_transition_time == "2026-01-02T00:00:00Z"


def test_the_same_findings_give_the_same_conditions() -> None:
    findings = [Finding("Accepted", "True", "Valid"), Finding("Ready", "True", "Answered", "yes")]
    first = conditions(findings, (), 1, EARLY)
    assert conditions(findings, first, 1, LATE) == first
