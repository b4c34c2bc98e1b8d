"""What ought to run, and how far it is. Pure: no I/O, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from homespun.api.training import (
    CheckpointStatus,
    CurvePoint,
    FailureReason,
    TrainingJobSpec,
    TrainingJobStatus,
    WorkerFailureStatus,
)
from operators import objects, pods
from operators.conditions import Finding
from workloads.training.config import (
    Checkpoints,
    Data,
    Family,
    Job,
    Model,
    Optimizer,
    Progress,
    Schedule,
    Shape,
    State,
    Strategy,
)

Object = objects.Object[TrainingJobSpec, TrainingJobStatus]

CLAIM: Final = "data"
"""The claim that comes with the platform, for data and checkpoints."""
CURVE_POINTS: Final = 64
CAUSES: Final[tuple[FailureReason, ...]] = ("Exited", "Killed", "PodFailed", "SentAway", "Evicted", "OOMKilled")
"""Why a worker died, from what may be a consequence to what is a cause."""
KILLED: Final = 137
"""Exit code of what SIGKILL ended: 128 + 9."""


@dataclass(frozen=True)
class Run:
    """A job's JobSet as it was read."""

    uid: str = ""
    suspended: bool = False
    completed: bool = False
    failed: str = ""
    """Why it failed for good, '' if it has not."""
    waiting: str = ""
    """Why a worker can't start, as its pod says."""
    started: bool = False
    """Whether the first worker's program runs."""
    restarts: int = 0
    """How often the workers were started again."""


@dataclass(frozen=True)
class Ended:
    """A worker that did not end well, as its pod says."""

    worker: int
    restart: int
    """How often all workers had been started again before."""
    reason: str
    """The kubelet's word: OOMKilled, Evicted, Error, NodeShutdown."""
    exit_code: int | None = None
    """Of its container; None where that never ran, or its end is not known."""
    message: str = ""
    """The kubelet's, of a pod that failed as a whole."""
    disruption: str = ""
    """Of a pod that its machine had to give up: why, as its condition DisruptionTarget says."""
    finished: datetime | None = None
    dismissed: bool = False
    """Whether it ended only after it had been asked to go."""


@dataclass(frozen=True)
class Observed:
    """All that a decision about one job rests on."""

    claims: frozenset[str]
    """The claims that there are."""
    run: Run | None = None
    """None: there is no JobSet."""
    told: tuple[Progress, ...] = ()
    """What the first worker printed last, in its order."""
    ended: tuple[Ended, ...] = ()
    """Of the workers whose pods are still there, those that did not end well."""
    taken: bool = False
    """Whether there is a JobSet of that name which is not this object's."""


def claims_of(spec: TrainingJobSpec, name: str) -> tuple[str, ...]:
    """The claims that workers mount, sorted."""
    uris = [output_uri(spec, name), *_inputs(spec)]
    return tuple(sorted({pods.claim_of(uri) for uri in uris}))


def output_uri(spec: TrainingJobSpec, name: str) -> str:
    """Where checkpoints go."""
    return spec.checkpoint.uri or f"pvc://{CLAIM}/.training/{name}"


def path_of(uri: str) -> str:
    """Where workers see a `pvc://` URI; '' stays ''."""
    return f"{pods.CLAIMS}/{uri.removeprefix('pvc://')}" if uri else ""


def job_of(item: Object) -> Job | None:
    """What the trainer is told; None for anybody's own program."""
    spec = item.spec
    if not (spec.model and spec.data and spec.objective):
        return None
    shape = spec.model.shape
    return Job(
        name=item.name,
        model=Model(
            family=Family(spec.model.family),
            size=spec.model.size or "",
            shape=Shape(shape.layers, shape.heads, shape.width, shape.context, shape.vocabulary) if shape else None,
            init=path_of(spec.model.init.uri) if spec.model.init else "",
        ),
        data=Data(path_of(spec.data.uri), spec.data.seq_len, path_of(spec.data.tokenizer)),
        checkpoints=Checkpoints(
            path_of(output_uri(spec, item.name)), spec.checkpoint.every_steps, spec.checkpoint.keep
        ),
        steps=spec.objective.steps,
        global_batch_tokens=spec.objective.global_batch_tokens,
        optimizer=Optimizer(
            learning_rate=float(spec.optimizer.lr),
            schedule=Schedule(spec.optimizer.schedule),
            warmup_steps=spec.optimizer.warmup_steps,
        ),
        strategy=Strategy(spec.parallelism.strategy),
        seed=spec.seed,
    )


def overdue(item: Object, now: datetime) -> bool:
    """Whether its deadline has passed."""
    seconds = item.spec.deadline_seconds
    if seconds is None or not item.status.started:
        return False
    return (now - datetime.fromisoformat(item.status.started)).total_seconds() > seconds


def suspended(item: Object, now: datetime) -> bool:
    """Whether its workers ought to be away, and its checkpoints to stay."""
    return item.spec.suspend or overdue(item, now)


def refusal(item: Object, observed: Observed) -> Finding | None:
    """What keeps it from being run as it is declared."""
    if missing := [name for name in claims_of(item.spec, item.name) if name not in observed.claims]:
        return Finding(
            "Accepted",
            "False",
            "ClaimNotFound",
            f"expected the claim {missing[0]} in this namespace (`kubectl get pvc`), found none",
        )
    output = output_uri(item.spec, item.name)
    if meets := [uri for uri in _inputs(item.spec) if _within(uri, output) or _within(output, uri)]:
        return Finding(
            "Accepted",
            "False",
            "OutputIsInput",
            f"checkpoint.uri: expected a folder apart from {meets[0]}, which it would write over, got {output}",
        )
    if observed.taken:
        return Finding(
            "Accepted",
            "False",
            "NameTaken",
            f"expected no JobSet {item.name} of another's in this namespace, found one; take another name (that of a"
            " deleted job of this name goes by itself)",
        )
    return None


def status(item: Object, observed: Observed, now: datetime) -> tuple[TrainingJobStatus, list[Finding]]:
    """The status to show, but for its conditions, and the findings that make those."""
    refused = refusal(item, observed)
    accepted = refused or Finding("Accepted", "True", "Valid")
    before, last = item.status, observed.told[-1] if observed.told else None
    failure = _last_failure(item, observed)
    state, running, succeeded = _standing(item, observed, now, refused, failure)
    shown = before.model_copy(
        update={
            "observed_generation": item.generation,
            "state": state,
            "steps": item.spec.objective.steps if item.spec.objective else before.steps,
            "output": output_uri(item.spec, item.name),
            "started": before.started or ("" if refused or item.spec.suspend else _stamp(now)),
            "remaining_seconds": None if state != "Running" else before.remaining_seconds,
            "message": "",
            "last_failure": failure,
        }
    )
    return (_told(shown, observed.told) if last else shown), [accepted, running, succeeded]


def progressing(state: str) -> bool:
    """Whether another look, soon, will find it further."""
    return state in ("Pending", "Starting", "Running")


def thin(points: Iterable[CurvePoint], most: int = CURVE_POINTS) -> tuple[CurvePoint, ...]:
    """At most so many of a curve's points, evenly spread over its steps; the first and the last stay."""
    by_step = {point.step: point for point in points}
    steps = sorted(by_step)
    if len(steps) <= most:
        return tuple(by_step[step] for step in steps)
    first, last = steps[0], steps[-1]
    chosen = {steps[0], steps[-1]}
    nearest = 0
    for number in range(1, most - 1):
        target = first + (last - first) * number / (most - 1)
        while nearest + 1 < len(steps) and abs(steps[nearest + 1] - target) <= abs(steps[nearest] - target):
            nearest += 1
        chosen.add(steps[nearest])
    return tuple(by_step[step] for step in sorted(chosen))


def _standing(
    item: Object, observed: Observed, now: datetime, refused: Finding | None, failure: WorkerFailureStatus | None
) -> tuple[str, Finding, Finding]:
    """State, and the findings for Running and Succeeded."""

    def ended(reason: str, message: str) -> tuple[str, Finding, Finding]:
        return "Failed", Finding("Running", "False", reason), Finding("Succeeded", "False", reason, message)

    def waiting(state: str, reason: str, message: str) -> tuple[str, Finding, Finding]:
        return state, Finding("Running", "False", reason, message), Finding("Succeeded", "False", "NotYet")

    run, told, died = observed.run, observed.told, _died(observed.run, failure)
    if run and run.completed:
        return "Succeeded", Finding("Running", "False", "Done"), Finding("Succeeded", "True", "Done")
    if (wrong := _invalid(observed)) is not None:
        return ended("InvalidJob", wrong)
    if run and run.failed:
        why = "; ".join(words for words in (failure.message if failure else "", run.failed) if words)
        return ended("WorkersFailed", f"{why}; see `kubectl logs -l jobset.sigs.k8s.io/jobset-name={item.name}`")
    if overdue(item, now):
        return ended("DeadlineExceeded", f"it had {item.spec.deadline}; a later deadline lets it go on")
    if refused:
        return waiting("Pending", refused.reason, refused.message)
    if item.spec.suspend:
        return waiting("Suspended", "Suspended", "spec.suspend: false lets it go on from the newest checkpoint")
    if run is None:
        return waiting("Pending", "Pending", "its workers are asked for")
    if any(one.step for one in told) and told[-1].state is State.TRAINING:
        return "Running", Finding("Running", "True", "Training", died), Finding("Succeeded", "False", "NotYet")
    if told and told[-1].state is State.FINISHED:
        ending = Finding("Running", "True", "Finished", "its workers end")
        return "Running", ending, Finding("Succeeded", "False", "NotYet")
    if item.spec.program and run.started:  # it tells no steps
        return "Running", Finding("Running", "True", "Started", died), Finding("Succeeded", "False", "NotYet")
    return waiting("Starting", "Starting", run.waiting or died or "its workers start")


def _died(run: Run | None, last: WorkerFailureStatus | None) -> str:
    """Why workers had to start again, '' if they had not."""
    restarts = run.restarts if run else 0
    if last and last.restart >= restarts:  # its like are still to go
        return f"{last.message}; all workers start again"
    if not restarts:
        return ""
    gone = "a worker died, and its pod was gone before it could be asked why"
    why = last.message if last and last.restart == restarts - 1 else gone
    return f"{why}; all workers started again, {restarts} times so far"


def _last_failure(item: Object, observed: Observed) -> WorkerFailureStatus | None:
    """The death that started the workers again last: of several, the one that says most.

    A worker that loses another fails as well, so of those that ended together one that was killed is the cause.
    """
    known, run = item.status.last_failure, observed.run
    if known and run and known.job_set not in ("", run.uid):  # a JobSet that was made anew counts from 0 again
        known = None
    # One that was asked to go did not die, but where it was its machine that could not keep it.
    seen = [one for one in observed.ended if one.disruption or not one.dismissed]
    failures = [_failure(one, item.spec.workers.memory, run.uid if run else "") for one in seen]
    first_to_end = sorted(failures, key=lambda one: (one.time, one.worker))
    deaths = [known, *first_to_end] if known else first_to_end
    return max(deaths, key=lambda one: (one.restart, CAUSES.index(one.reason)), default=None)


def _failure(one: Ended, memory: str, job_set: str) -> WorkerFailureStatus:
    reason, worker = _reason(one), f"worker {one.worker}"
    messages: Mapping[FailureReason, str] = {
        "OOMKilled": f"{worker} was killed for memory (limit {memory}); delete the job and declare it anew with more"
        " workers.memory: its checkpoints stay",
        "Evicted": f"{worker} was evicted: {one.message}",
        "SentAway": f"{worker} was sent away from its machine: {one.disruption}",
        "PodFailed": f"{worker} failed with its pod: {one.reason}: {one.message}",
        "Killed": f"{worker} was killed (exit code {KILLED})",
        "Exited": f"{worker} ended with exit code {one.exit_code}",
    }
    return WorkerFailureStatus(
        reason=reason,
        message=messages[reason].strip(": "),
        worker=one.worker,
        restart=one.restart,
        time=_stamp(one.finished) if one.finished else "",
        job_set=job_set,
    )


def _reason(one: Ended) -> FailureReason:
    match one.reason:
        case "OOMKilled" | "Evicted" as known:
            return known
    if one.disruption:
        return "SentAway"
    if one.exit_code is None:
        return "PodFailed"
    return "Killed" if one.exit_code == KILLED else "Exited"


def _invalid(observed: Observed) -> str | None:
    last = observed.told[-1] if observed.told else None
    return last.message if last and last.state is State.INVALID else None


def _told(shown: TrainingJobStatus, told: tuple[Progress, ...]) -> TrainingJobStatus:
    """With what the trainer says of itself."""
    last = told[-1]
    if last.state is State.INVALID:  # it says nothing of what was reached before
        return shown.model_copy(update={"message": last.message})
    resumed = min((one.step for one in told), default=0)
    curve = [point for point in shown.curve if point.step < resumed]
    curve += [CurvePoint(step=one.step, loss=f"{one.loss:.4f}") for one in told if one.loss is not None and one.step]
    update: Mapping[str, object] = {
        "step": last.step,
        "steps": last.steps or shown.steps,
        "loss": f"{last.loss:.4f}" if last.loss is not None else shown.loss,
        "tokens_per_second": round(last.tokens_per_second),
        "remaining_seconds": None if last.remaining_seconds is None else round(last.remaining_seconds),
        "checkpoint": CheckpointStatus(step=last.checkpoint.step, digest=last.checkpoint.digest)
        if last.checkpoint
        else shown.checkpoint,
        "recoveries": last.recoveries,
        "rejected_checkpoints": last.rejected,
        "strategy": str(last.strategy),
        "parameters": last.parameters,
        "curve": thin(curve),
        "message": last.message,
    }
    return shown.model_copy(update=dict(update))


def _inputs(spec: TrainingJobSpec) -> list[str]:
    """What is read, as URIs."""
    found = [spec.data.uri, spec.data.tokenizer] if spec.data else []
    if spec.model and spec.model.init:
        found.append(spec.model.init.uri)
    return [uri for uri in found if uri]


def _within(uri: str, folder: str) -> bool:
    return f"{uri}/".startswith(f"{folder}/")


def _stamp(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
