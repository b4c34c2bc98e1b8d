"""Small worlds for a plan to decide on."""

from typing import Any

from homespun.api.inference import InferenceModelSpec, InferenceModelStatus
from operators.inference.plan import Object, Observed, Probe, next_config, probes, revision_of
from workloads.inference.config import Config, Failure, Placement, State

PROBE_TOKEN = "probe-token"


def model(name: str = "minilm", folder: str = "v1", *, created: str = "2026-01-01T00:00:00Z", **spec: Any) -> Object:
    declared = {
        "modelId": "org/minilm",
        "task": "feature-extraction",
        "source": {"uri": f"pvc://models/{folder}"},
        **spec,
    }
    return Object(name, f"uid-{name}", 1, created, InferenceModelSpec.model_validate(declared), InferenceModelStatus())


def digest(item: Object) -> str:
    return revision_of(item.spec).digest


def held(item: Object, state: State = State.LOADED, *, loads: int = 1, reason: Failure | None = None) -> Placement:
    return Placement(item.name, digest(item), state, reason, "told why" if reason else "", loads=loads, server="s:1")


def config(*objects: Object, **observed: Any) -> Config:
    return next_config(Observed(objects, **observed), PROBE_TOKEN)


def answered(observed: Observed, followed: Config, wrong: str = "") -> dict[Probe, str]:
    """Every probe of that moment, with the same outcome."""
    return dict.fromkeys(probes(observed, followed), wrong)


def serving(item: Object) -> Config:
    """The configuration once the object's revision is the active one."""
    observed = Observed((item,), placements=(held(item),))
    loading = next_config(observed, PROBE_TOKEN)
    return next_config(Observed((item,), loading, probes=answered(observed, loading)), PROBE_TOKEN)
