"""What the operator tells the trainer, and what the trainer tells back.

The operator renders one `Job` into the file that `train --job` reads. The trainer answers with `Progress`: a line of
it on standard output now and then, the last one in `progress.json` of the job's folder. How the format may change:
`workloads.edge.document`. A job of a newer `formatVersion` is refused.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from workloads.edge import document
from workloads.edge.document import ConfigError, known

FORMAT_VERSION: Final = 1
INVALID_JOB_EXIT: Final = 64
"""Exit code of a job that no retry can help (sysexits.h: EX_USAGE)."""

# In the job's folder:
PROGRESS_FILE: Final = "progress.json"
CURVE_FILE: Final = "curve.jsonl"
"""A line a step, `{"step": 1, "loss": 10.8}`, as if the run had never been interrupted."""
CHECKPOINTS_FOLDER: Final = "checkpoints"
TOKENS_FOLDER: Final = "tokens"
"""Tokens that the run prepared for itself, in a folder named after the text and the tokenizer as they were."""
MODEL_FOLDER: Final = "model"
"""The finished model: model.safetensors with the hub's key names, config.json, tokenizer.json."""


class Family(StrEnum):
    """Which model file."""

    GPT2 = "gpt2"
    BERT = "bert"


class Schedule(StrEnum):
    """How the learning rate goes on after its warm-up."""

    COSINE = "cosine"
    CONSTANT = "constant"


class Strategy(StrEnum):
    """How workers share the work."""

    AUTO = "auto"
    """ddp, or fsdp2 where a whole replica would take more than half of a worker's memory."""
    DDP = "ddp"
    """Each worker holds all; gradients are averaged."""
    FSDP2 = "fsdp2"
    """Each worker holds a shard of weights, gradients and optimizer state (ZeRO-3)."""


@dataclass(frozen=True)
class Shape:
    """The size of a model."""

    layers: int
    heads: int
    width: int
    """Of the residual stream; heads divide it."""
    context: int
    """The longest sequence, tokens."""
    vocabulary: int


@dataclass(frozen=True)
class Model:
    """What is trained. Its shape is `shape`, else that of the name `size`, else that of `init`'s config.json."""

    family: Family
    size: str = ""
    """gpt2: 124M, 355M, 774M, 1558M; bert: base, large."""
    shape: Shape | None = None
    init: str = ""
    """A model.safetensors, or a folder with one, to start from; '' starts from random weights."""


@dataclass(frozen=True)
class Data:
    """What it is trained on."""

    path: str
    """A folder of `*.txt` and `*.jsonl` (field `text`), or one that `prepare` has written."""
    sequence_length: int
    """Tokens in a sequence of a batch."""
    tokenizer: str = ""
    """A tokenizer.json, or a folder with one or with GPT-2's original files; '' where `path` is prepared."""


@dataclass(frozen=True)
class Optimizer:
    """AdamW and its schedule."""

    learning_rate: float = 6e-4
    """At the end of the warm-up."""
    schedule: Schedule = Schedule.COSINE
    warmup_steps: int = 0
    final_fraction: float = 0.1
    """cosine: the learning rate of the last step, as a fraction of `learning_rate`."""
    weight_decay: float = 0.1
    """Of matrices; biases and norms are left alone."""
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    """The largest norm of the gradient; 0 clips nothing."""


@dataclass(frozen=True)
class Checkpoints:
    """What is kept of a run, and where."""

    folder: str
    """The job's folder, the same for all workers: checkpoints, progress, curve, tokens, model."""
    every_steps: int = 200
    """The last step makes one too."""
    keep: int = 3


@dataclass(frozen=True)
class Job:
    """One training run."""

    name: str
    model: Model
    data: Data
    checkpoints: Checkpoints
    steps: int
    global_batch_tokens: int
    """Tokens in one step of all workers together, a multiple of `sequence_length`."""
    microbatch: int = 8
    """At most so many sequences at once on one worker; the rest of the batch is accumulated."""
    optimizer: Optimizer = Optimizer()
    strategy: Strategy = Strategy.AUTO
    seed: int = 0


class State(StrEnum):
    """Where a run stands."""

    STARTING = "Starting"
    TRAINING = "Training"
    FINISHED = "Finished"
    INVALID = "Invalid"
    """The job can't be trained as it is; `message` says why, and the exit code is INVALID_JOB_EXIT."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that can be resumed from."""

    step: int
    digest: str
    """`sha256:<hex>` of its manifest, which holds the sha256 of each file."""


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    state: State
    step: int = 0
    """Steps done."""
    steps: int = 0
    loss: float | None = None
    """Of the last step, in nats a token, over the whole batch."""
    tokens_per_second: float = 0.0
    """Of all workers together, over the last steps."""
    remaining_seconds: float | None = None
    checkpoint: Checkpoint | None = None
    """The newest."""
    recoveries: int = 0
    """How often the run was started again after it had begun."""
    rejected: tuple[str, ...] = ()
    """Checkpoints that were not what their manifest says, with what was found, when this run was started last."""
    workers: int = 0
    strategy: Strategy = Strategy.AUTO
    """The one in use, once it is decided."""
    parameters: int = 0
    message: str = ""
    """For people: place, expectation, finding, what to do."""


def render(job: Job) -> str:
    """The document, in one canonical form: equal jobs give equal text."""
    return document.render(asdict(job), FORMAT_VERSION)


def parse(text: str) -> Job:
    """The job in a document. Raises NewerFormatError or ConfigError."""
    with document.meaning("a training job"):
        found = document.read(text, FORMAT_VERSION)
        job = Job(
            **known(Job, found)
            | {
                "model": _model(found["model"]),
                "data": Data(**known(Data, found["data"])),
                "checkpoints": Checkpoints(**known(Checkpoints, found["checkpoints"])),
                "optimizer": _optimizer(found.get("optimizer", {})),
                "strategy": Strategy(found.get("strategy", Strategy.AUTO)),
            }
        )
        _check(job)
    return job


def render_progress(progress: Progress) -> str:
    """One line."""
    return json.dumps({"formatVersion": FORMAT_VERSION, **asdict(progress)})


def parse_progress(text: str) -> Progress:
    """The progress in a line. Raises NewerFormatError or ConfigError."""
    with document.meaning("a training job's progress"):
        found = document.read(text, FORMAT_VERSION)
        checkpoint = found.get("checkpoint")
        return Progress(
            **known(Progress, found)
            | {
                "state": State(found["state"]),
                "checkpoint": Checkpoint(**known(Checkpoint, checkpoint)) if checkpoint else None,
                "rejected": tuple(found.get("rejected", ())),
                "strategy": Strategy(found.get("strategy", Strategy.AUTO)),
            }
        )


def _check(job: Job) -> None:
    """What is wrong with the job by itself, whatever machine, data and tokenizer it will find. Raises ConfigError."""
    positive = {
        "steps": job.steps,
        "microbatch": job.microbatch,
        "global_batch_tokens": job.global_batch_tokens,
        "data.sequence_length": job.data.sequence_length,
        "checkpoints.every_steps": job.checkpoints.every_steps,
        "checkpoints.keep": job.checkpoints.keep,
        "optimizer.learning_rate": job.optimizer.learning_rate,
    }
    if job.model.shape:
        positive |= {f"model.shape.{name}": value for name, value in asdict(job.model.shape).items()}
    for place, value in positive.items():
        if not value > 0:
            raise ConfigError(f"{place}: expected > 0, got {value}")
    if job.global_batch_tokens % job.data.sequence_length:
        raise ConfigError(
            f"global_batch_tokens: expected a multiple of data.sequence_length {job.data.sequence_length}, "
            f"got {job.global_batch_tokens}"
        )
    if job.optimizer.warmup_steps >= job.steps:
        raise ConfigError(f"optimizer.warmup_steps: expected < steps {job.steps}, got {job.optimizer.warmup_steps}")
    if not (job.model.size or job.model.shape or job.model.init):
        raise ConfigError("model: expected size, shape or init, got none of them")
    if job.model.shape and job.model.shape.width % job.model.shape.heads:
        raise ConfigError(
            f"model.shape.heads: expected a divisor of the width {job.model.shape.width}, got {job.model.shape.heads}"
        )


def _model(entry: dict[str, Any]) -> Model:
    shape = entry.get("shape")
    fields = known(Model, entry) | {"family": Family(entry["family"])}
    return Model(**fields | {"shape": Shape(**known(Shape, shape)) if shape else None})


def _optimizer(entry: dict[str, Any]) -> Optimizer:
    return Optimizer(**known(Optimizer, entry) | {"schedule": Schedule(entry.get("schedule", Schedule.COSINE))})
