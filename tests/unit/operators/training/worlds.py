"""Small worlds for a plan to decide on."""

from datetime import UTC, datetime
from typing import Any

from homespun.api.training import TrainingJobSpec, TrainingJobStatus
from operators.training.plan import Ended, Object, Observed, Run
from workloads.training.config import Checkpoint, Progress, State

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
CLAIMS = frozenset({"data", "models"})


def job(name: str = "tale", status: TrainingJobStatus | None = None, **spec: Any) -> Object:
    declared = {
        "model": {"family": "gpt2", "size": "124M"},
        "data": {"uri": "pvc://data/texts", "tokenizer": "pvc://models/gpt2", "seqLen": 128},
        "objective": {"steps": 100, "globalBatchTokens": 1024},
        "workers": {"count": 2},
        **spec,
    }
    parsed = TrainingJobSpec.model_validate({key: value for key, value in declared.items() if value is not None})
    return Object(name, f"uid-{name}", 1, "2026-01-01T00:00:00Z", parsed, status or TrainingJobStatus())


def told(step: int, loss: float = 3.0, **more: Any) -> Progress:
    return Progress(State.TRAINING, step=step, steps=100, loss=loss, tokens_per_second=900.4, **more)


def seen(*progress: Progress, run: Run | None = None, ended: tuple[Ended, ...] = ()) -> Observed:
    return Observed(CLAIMS, run or Run(), progress, ended)


CHECKPOINT = Checkpoint(50, "sha256:ab")
