"""What there is in the cloud, as the page shows it. Pure: out of the API server's documents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Document = Mapping[str, Any]

MACHINE_ADVICE: Final = {
    "MemoryPressure": "it is short of memory: `kubectl top pods -A` shows what uses it",
    "DiskPressure": "its disk is nearly full: `df -h` on the machine shows which",
    "PIDPressure": "it runs too many processes",
}


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
class Cloud:
    """All that the page shows of the cluster."""

    machines: tuple[Machine, ...] = ()
    models: tuple[Model, ...] = ()
    trouble: str = ""
    """Why the cluster itself can't be read; '' where it can."""


def cloud(nodes: Iterable[Document], models: Iterable[Document]) -> Cloud:
    """The page's view of Node and InferenceModel documents."""
    return Cloud(machines=tuple(map(machine, nodes)), models=tuple(map(model, models)))


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
    )


def model(document: Document) -> Model:
    """An InferenceModel as the page shows it."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    conditions = _conditions(status)
    troubled = [
        f"{kind}: {conditions[kind].get('message') or conditions[kind].get('reason')}"
        for kind in ("Ready", "UpToDate", "Accepted")
        if conditions.get(kind, {}).get("status", "True") != "True"
    ]
    unseen = "" if conditions else "the operator has not looked at it yet; see `kubectl -n homespun-system get pods`"
    active = (status.get("revision") or {}).get("active") or {}
    return Model(
        name=document["metadata"]["name"],
        model_id=spec.get("modelId", ""),
        task=spec.get("task", ""),
        state=status.get("state", "Pending"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        trouble=troubled[0] if troubled else unseen,
        url=status.get("url", ""),
        revision=str(active.get("digest", ""))[:12],
    )


def gibibytes(quantity: str) -> float:
    """A memory quantity of Kubernetes in GiB; nodes report theirs in Ki."""
    units = {"Ki": 1 / (1 << 20), "Mi": 1 / (1 << 10), "Gi": 1.0}
    number, unit = quantity[:-2], quantity[-2:]
    if unit in units and number.isdigit():
        return round(int(number) * units[unit], 1)
    return round(int(quantity) / (1 << 30), 1) if quantity.isdigit() else 0.0


def _conditions(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {condition["type"]: condition for condition in status.get("conditions") or ()}
