"""When an object is ready. The rules are those of `kubectl rollout status` and of each kind's own conditions."""

from collections.abc import Iterable
from typing import Any, Final

from tools.pulumi.kubernetes.errors import NotReady
from tools.pulumi.kubernetes.objects import Object, title

NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"
STARTING: Final = frozenset({"ContainerCreating", "PodInitializing", ""})
"""Reasons that a container waits for without anything being wrong."""


def pending(obj: Object, storage_class: Object | None = None) -> str | None:
    """None once `obj` is ready; else what it waits for. Raises NotReady if it won't become ready by waiting.

    `storage_class` is the class of a claim, if there is one of that name.
    """
    match (obj["apiVersion"].rpartition("/")[0], obj["kind"]):
        case ("apps", "Deployment"):
            return _deployment(obj)
        case ("apps", "StatefulSet"):
            return _stateful_set(obj)
        case ("apps", "DaemonSet"):
            return _daemon_set(obj)
        case ("apps", "ReplicaSet"):
            return _unseen(obj) or _count(obj, "availableReplicas", "available")
        case ("batch", "Job"):
            return _job(obj)
        case ("", "Pod"):
            return _pod(obj)
        case ("", "PersistentVolumeClaim"):
            return _claim(obj, storage_class)
        case ("apiextensions.k8s.io", "CustomResourceDefinition"):
            return _definition(obj)
        case ("apiregistration.k8s.io", "APIService"):
            return None if _is(obj, "Available") else _message(obj, "Available") or "not available"
        case ("", "Service"):
            return _service(obj)
        case _:
            return None


def has_pods(obj: Object) -> bool:
    """Whether its pods say why it isn't ready."""
    return obj["apiVersion"] in ("apps/v1", "batch/v1") and bool(selector(obj))


def selector(obj: Object) -> str:
    """The label selector of its pods, as a query; empty if it has none that is made of labels."""
    labels = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def troubles(pods: Iterable[Object]) -> list[str]:
    """What is wrong with pods that won't start: unschedulable, no image, crashing. A line a pod."""
    found = []
    for pod in pods:
        if pod.get("metadata", {}).get("deletionTimestamp"):
            continue
        if reason := _trouble(pod):
            found.append(f"pod {pod['metadata']['name']}: {reason}")
    return found


def _deployment(obj: Object) -> str | None:
    if unseen := _unseen(obj):
        return unseen
    if _condition(obj, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        raise NotReady(obj, [f"{title(obj)}: {_message(obj, 'Progressing')}"])
    status, wanted = _status(obj), _replicas(obj)
    if status.get("updatedReplicas", 0) < wanted:
        return f"{status.get('updatedReplicas', 0)}/{wanted} up to date"
    if status.get("replicas", 0) > status.get("updatedReplicas", 0):
        return f"{status['replicas'] - status.get('updatedReplicas', 0)} old ones still there"
    return _count(obj, "availableReplicas", "available")


def _stateful_set(obj: Object) -> str | None:
    if unseen := _unseen(obj):
        return unseen
    strategy = obj["spec"].get("updateStrategy") or {}
    status, wanted = _status(obj), _replicas(obj)
    if strategy.get("type", "RollingUpdate") == "RollingUpdate":
        updated = max(0, wanted - (strategy.get("rollingUpdate") or {}).get("partition", 0))
        if status.get("updatedReplicas", 0) < updated:
            return f"{status.get('updatedReplicas', 0)}/{updated} up to date"
    return _count(obj, "availableReplicas", "available")


def _daemon_set(obj: Object) -> str | None:
    if unseen := _unseen(obj):
        return unseen
    status = _status(obj)
    wanted = status.get("desiredNumberScheduled", 0)
    on_delete = (obj["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
    if not on_delete and status.get("updatedNumberScheduled", 0) < wanted:
        return f"{status.get('updatedNumberScheduled', 0)}/{wanted} up to date"
    available = status.get("numberAvailable", 0)
    return None if available >= wanted else f"{available}/{wanted} available"


def _job(obj: Object) -> str | None:
    if _is(obj, "Failed"):
        raise NotReady(obj, [f"{title(obj)} failed: {_message(obj, 'Failed')}"])
    if _is(obj, "Complete") or obj["spec"].get("suspend"):
        return None
    status = _status(obj)
    return (
        f"{status.get('active', 0)} running, {status.get('succeeded', 0)} succeeded, {status.get('failed', 0)} failed"
    )


def _pod(obj: Object) -> str | None:
    status = _status(obj)
    if status.get("phase") == "Failed":
        raise NotReady(
            obj, [f"{title(obj)} failed: {status.get('message') or status.get('reason') or 'no reason given'}"]
        )
    if status.get("phase") == "Succeeded" or _is(obj, "Ready"):
        return None
    return _trouble(obj) or f"phase {status.get('phase', 'unknown')}"


def _claim(obj: Object, storage_class: Object | None) -> str | None:
    phase = _status(obj).get("phase")
    if phase == "Lost":
        raise NotReady(obj, [f"{title(obj)}: its volume is lost"])
    if phase == "Bound" or storage_class is None:
        return None
    waits_for_consumer = storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
    if waits_for_consumer or storage_class.get("provisioner") == NO_PROVISIONER:
        return None
    return f"no volume yet of class {storage_class['metadata']['name']} ({storage_class.get('provisioner')})"


def _definition(obj: Object) -> str | None:
    if _condition(obj, "NamesAccepted").get("status") == "False":
        raise NotReady(obj, [f"{title(obj)}: {_message(obj, 'NamesAccepted')}"])
    return None if _is(obj, "Established") else "not established"


def _service(obj: Object) -> str | None:
    if obj["spec"].get("type") != "LoadBalancer" or (_status(obj).get("loadBalancer") or {}).get("ingress"):
        return None
    return "no address from a load balancer"


def _unseen(obj: Object) -> str | None:
    seen = _status(obj).get("observedGeneration", 0) >= obj["metadata"].get("generation", 0)
    return None if seen else "its controller has not seen this generation"


def _count(obj: Object, field: str, word: str) -> str | None:
    found, wanted = _status(obj).get(field, 0), _replicas(obj)
    return None if found >= wanted else f"{found}/{wanted} {word}"


def _replicas(obj: Object) -> int:
    replicas: int = obj["spec"].get("replicas", 1)
    return replicas


def _trouble(pod: Object) -> str | None:
    status = _status(pod)
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return f"not scheduled: {scheduled.get('message')}"
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason", "") not in STARTING:
            return f"{container['name']}: {waiting['reason']} {waiting.get('message', '')}".strip()
        ended = state.get("terminated") or {}
        if ended.get("exitCode"):
            return f"{container['name']}: ended with exit code {ended['exitCode']} {ended.get('message', '')}".strip()
    return None


def _status(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}


def _condition(obj: Object, name: str) -> dict[str, Any]:
    return next((c for c in _status(obj).get("conditions") or [] if c["type"] == name), {})


def _is(obj: Object, name: str) -> bool:
    return bool(_condition(obj, name).get("status") == "True")


def _message(obj: Object, name: str) -> str:
    condition = _condition(obj, name)
    return str(condition.get("message") or condition.get("reason") or "")
