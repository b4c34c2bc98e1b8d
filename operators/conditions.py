"""Conditions by the Kubernetes API conventions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from homespun.api.fields import Condition


@dataclass(frozen=True)
class Finding:
    """What a plan found out about one condition type."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


def conditions(
    findings: Iterable[Finding], before: Iterable[Condition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The findings as conditions; a transition time moves only where the status does."""
    known = {condition.type: condition for condition in before}
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def condition(finding: Finding) -> Condition:
        old = known.get(finding.type)
        unchanged = old is not None and old.status == finding.status
        return Condition(
            type=finding.type,
            status=finding.status,
            reason=finding.reason,
            message=finding.message,
            last_transition_time=old.last_transition_time if old is not None and unchanged else stamp,
            observed_generation=generation,
        )

    return tuple(condition(finding) for finding in findings)
