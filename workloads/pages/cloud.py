"""What there is in the cloud, as the page shows it. Pure: out of the API server's documents."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Document = Mapping[str, Any]

CURVE_WIDTH: Final = 600
CURVE_HEIGHT: Final = 120
MACHINE_ADVICE: Final = {
    "MemoryPressure": "it is short of memory: `kubectl top pods -A` shows what uses it",
    "DiskPressure": "its disk is nearly full: `df -h` on the machine shows which",
    "PIDPressure": "it runs too many processes",
}


PATHS: Final = "homespun.dev/paths"
"""The annotation in which a node says how it reaches those of other sites (`homespun/hosts/programs/paths.py`)."""
PRICE: Final = "homespun.dev/usd-per-hour"
"""The label of a rented node."""


@dataclass(frozen=True)
class Machine:
    """A node of the cluster."""

    name: str
    ready: bool
    trouble: str
    """Why it is not ready, and what to do; '' where all is well."""
    cores: str
    memory_gib: float
    version: str
    since: str
    """When it became a node: date and minute, UTC."""
    price: str
    """Dollars an hour of one that is rented; '' for one's own."""
    paths: tuple[str, ...]
    """How it reaches machines of other sites, a line for each."""


@dataclass(frozen=True)
class Model:
    """An `InferenceModel`."""

    name: str
    model_id: str
    task: str
    state: str
    ready: bool
    trouble: str
    """Why it is not Ready or not up to date, and what to do; '' where all is well."""
    url: str
    revision: str
    """First digits of the active revision's digest."""


@dataclass(frozen=True)
class Collection:
    """A `VectorCollection`."""

    name: str
    rows: int
    about: str
    """Dimension, metric, fields."""
    model_id: str
    """What embedded its records, and embeds questions; '': its clients bring vectors."""
    state: str
    ready: bool
    trouble: str
    """Why it is not Ready or not filled, and what to do; '' where all is well."""
    url: str
    filled: str
    """What became of its source's records; '' where it has none."""


@dataclass(frozen=True)
class Job:
    """A `TrainingJob`."""

    name: str
    what: str
    state: str
    good: bool
    done: str
    """Steps, loss, speed."""
    percent: int
    trouble: str
    """Why it does not run, and what to do; '' where all is well."""
    output: str
    curve: str
    """The loss over the steps, as the points of an SVG polyline in a box of CURVE_WIDTH by CURVE_HEIGHT."""
    highest: str
    lowest: str
    """Of the curve's losses."""


@dataclass(frozen=True)
class Cloud:
    """All that the page shows of the cluster."""

    machines: tuple[Machine, ...] = ()
    models: tuple[Model, ...] = ()
    collections: tuple[Collection, ...] = ()
    jobs: tuple[Job, ...] = ()
    trouble: str = ""
    """Why the cluster itself can't be read; '' where it can."""


def cloud(
    nodes: Iterable[Document],
    models: Iterable[Document],
    collections: Iterable[Document] = (),
    jobs: Iterable[Document] = (),
) -> Cloud:
    """The page's view of the API server's documents."""
    shown = tuple(map(model, models))
    ids = {one.name: one.model_id for one in shown}
    return Cloud(
        machines=tuple(map(machine, nodes)),
        models=shown,
        collections=tuple(collection(one, ids) for one in collections),
        jobs=tuple(map(job, jobs)),
    )


def machine(node: Document) -> Machine:
    """A Node as a machine."""
    status = node.get("status") or {}
    conditions = _conditions(status)
    ready = conditions.get("Ready", {})
    pressed = [advice for kind, advice in MACHINE_ADVICE.items() if conditions.get(kind, {}).get("status") == "True"]
    is_ready, name = ready.get("status") == "True", node["metadata"]["name"]
    why = "" if is_ready else f"{ready.get('message') or 'it has not reported yet'}; see `kubectl describe node {name}`"
    capacity = status.get("capacity") or {}
    return Machine(
        name=name,
        ready=is_ready,
        trouble="; ".join(filter(None, [why, *pressed])),
        cores=str(capacity.get("cpu", "?")),
        memory_gib=gibibytes(str(capacity.get("memory", "0"))),
        version=(status.get("nodeInfo") or {}).get("kubeletVersion", ""),
        since=str(node["metadata"].get("creationTimestamp", ""))[:16].replace("T", " "),
        price=(node["metadata"].get("labels") or {}).get(PRICE, ""),
        paths=paths((node["metadata"].get("annotations") or {}).get(PATHS, "[]")) if is_ready else (),
    )


def paths(said: str) -> tuple[str, ...]:
    """How a node reaches others, as it says itself; () where that can't be read."""
    try:
        return tuple(map(_path, json.loads(said)))
    except (LookupError, RecursionError, TypeError, ValueError):
        return ()


def _path(said: Mapping[str, Any]) -> str:
    if not said["by"]:
        return f"{said['to']} does not answer"
    idle = "" if said["idle"] is None else f", handshake {said['idle']} s before"
    return f"{said['to']} {'directly' if said['by'] == 'direct' else 'relayed'} in {said['ms']:g} ms{idle}"


def model(document: Document) -> Model:
    """An InferenceModel as the page shows it."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    conditions = _conditions(status)
    active = (status.get("revision") or {}).get("active") or {}
    return Model(
        name=document["metadata"]["name"],
        model_id=spec.get("modelId", ""),
        task=spec.get("task", ""),
        state=status.get("state", "Pending"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        trouble=_trouble(conditions, ("Ready", "UpToDate", "Accepted")),
        url=status.get("url", ""),
        revision=str(active.get("digest", ""))[:12],
    )


def collection(document: Document, model_ids: Mapping[str, str]) -> Collection:
    """A VectorCollection as the page shows it; `model_ids` are the models' ids by their names."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    conditions, vectors = _conditions(status), spec.get("vectors") or {}
    fields = [one["name"] for one in (spec.get("metadata") or {}).get("fields") or ()]
    about = [f"{vectors.get('dimension')} numbers", str(vectors.get("metric", "cosine")), *fields]
    counts = status.get("ingestion") or {}
    told = [f"{counts.get(name, 0)} {name}" for name in ("read", "duplicates", "quarantined", "upserted", "unchanged")]
    return Collection(
        name=document["metadata"]["name"],
        rows=int(status.get("rows", 0)),
        about=" · ".join(about),
        model_id=model_ids.get((spec.get("embedding") or {}).get("modelRef", ""), ""),
        state=status.get("state", "Pending"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        trouble=_trouble(conditions, ("Ready", "Accepted", "Ingested")),
        url=status.get("url", ""),
        filled=" · ".join(told) if counts.get("read") else "",
    )


def job(document: Document) -> Job:
    """A TrainingJob as the page shows it."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    state, step, steps = status.get("state", "Pending"), int(status.get("step", 0)), int(status.get("steps", 0))
    model, workers = spec.get("model") or {}, (spec.get("workers") or {}).get("count", 1)
    what = " ".join(filter(None, [model.get("family"), model.get("size")])) or (spec.get("program") or {}).get("image")
    done = [f"step {step} of {steps}" if steps else "", f"loss {status['loss']}" if status.get("loss") else ""]
    if status.get("tokensPerSecond") and state == "Running":
        done.append(f"{status['tokensPerSecond']} tokens/s")
    points = [(int(one["step"]), float(one["loss"])) for one in status.get("curve") or ()]
    losses = [loss for _, loss in points]
    kinds = ("Accepted", "Succeeded") if state == "Failed" else ("Accepted", "Running") if state == "Starting" else ()
    return Job(
        name=document["metadata"]["name"],
        what=f"{what} on {workers} worker{'s' if workers != 1 else ''}",
        state=state,
        good=state in ("Running", "Succeeded"),
        done=" · ".join(filter(None, done)),
        percent=100 * step // steps if steps else 0,
        trouble=_trouble(_conditions(status), kinds),
        output=status.get("output", ""),
        curve=polyline(points),
        highest=f"{max(losses):.2f}" if losses else "",
        lowest=f"{min(losses):.2f}" if losses else "",
    )


def polyline(points: Sequence[tuple[int, float]]) -> str:
    """The points of an SVG polyline: steps to the right, losses upwards, filling the box; '' for fewer than two."""
    if len(points) < 2:
        return ""
    (first, last), losses = (points[0][0], points[-1][0]), [loss for _, loss in points]
    low, high = min(losses), max(losses)
    across, up = max(1, last - first), (high - low) or 1.0
    placed = [((step - first) / across * CURVE_WIDTH, (high - loss) / up * CURVE_HEIGHT) for step, loss in points]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)


def _trouble(conditions: Mapping[str, Mapping[str, Any]], kinds: Iterable[str]) -> str:
    """The first of these conditions that is not True, in words."""
    if not conditions:
        return "the operator has not looked at it yet; see `kubectl -n homespun-system get pods`"
    for kind in kinds:
        found = conditions.get(kind, {})
        if found.get("status", "True") != "True":
            return f"{kind}: {found.get('message') or found.get('reason')}"
    return ""


def gibibytes(quantity: str) -> float:
    """A memory quantity of Kubernetes in GiB; nodes report theirs in Ki."""
    units = {"Ki": 1 / (1 << 20), "Mi": 1 / (1 << 10), "Gi": 1.0}
    number, unit = quantity[:-2], quantity[-2:]
    if unit in units and number.isdigit():
        return round(int(number) * units[unit], 1)
    return round(int(quantity) / (1 << 30), 1) if quantity.isdigit() else 0.0


def _conditions(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {condition["type"]: condition for condition in status.get("conditions") or ()}
