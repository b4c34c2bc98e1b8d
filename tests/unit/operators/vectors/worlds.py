"""Small worlds for a plan to decide on."""

from typing import Any

from homespun.api.vectors import VectorCollectionSpec, VectorCollectionStatus
from operators.vectors.plan import Object, Observed, Probe, config_of, probes
from workloads.vectors.config import Config, Failure, Placement, State

PROBE_TOKEN = "probe-token"


def collection(name: str = "papers", **spec: Any) -> Object:
    declared = {"vectors": {"dimension": 384}, **spec}
    parsed = VectorCollectionSpec.model_validate(declared)
    return Object(name, f"uid-{name}", 1, "2026-01-01T00:00:00Z", parsed, VectorCollectionStatus())


def held(
    item: Object, state: State = State.LOADED, *, loads: int = 1, rows: int = 0, reason: Failure | None = None
) -> Placement:
    return Placement(item.name, state, reason, "told why" if reason else "", rows=rows, loads=loads, server="s:1")


def config(*objects: Object, **observed: Any) -> Config:
    return config_of(Observed(objects, **observed), PROBE_TOKEN)


def answered(observed: Observed, followed: Config, wrong: str = "") -> dict[Probe, str]:
    """Every probe of that moment, with the same outcome."""
    return dict.fromkeys(probes(observed, followed), wrong)
