"""What a Kubernetes object says about itself. An object is its JSON."""

import base64
import copy
from typing import Any, Final

from tools.pulumi.kubernetes.values import UNKNOWN, Path, outermost

Object = dict[str, Any]

ANNOTATIONS: Final = "pulumi.com/"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
SERVER_SET: Final = (
    "managedFields",
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "generation",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
"""Fields of the metadata that the server writes, whoever applies."""
MANAGER: Final = "__fieldManager"
INITIAL_VERSION: Final = "__initialApiVersion"


def annotation(obj: Object, name: str) -> str:
    """The annotation `pulumi.com/<name>`; empty if there is none."""
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return str((annotations or {}).get(ANNOTATIONS + name, "")) if isinstance(annotations, dict | None) else ""


def identity(obj: Object) -> str:
    """The ID that the engine keeps: `namespace/name`, or `name`."""
    metadata = obj["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def title(obj: Object) -> str:
    """How messages call an object."""
    return f"{obj['kind']} {identity(obj)}"


def manifest(inputs: Object) -> Object:
    """What is sent to the server: without what only the engine's state holds, and without status."""
    return {key: value for key, value in inputs.items() if not key.startswith("__") and key != "status"}


def bare(obj: Object) -> Object:
    """Only which object it is. Applied, it gives back every field that its manager holds."""
    metadata = {key: obj["metadata"][key] for key in ("name", "namespace") if obj["metadata"].get(key)}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}


def without_server_set(live: Object, keep: tuple[str, ...] = ()) -> Object:
    """Without the metadata that changes although nobody changes the object."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in SERVER_SET or key in keep}
    return {**copy.deepcopy(live), "metadata": copy.deepcopy(metadata)}


def outputs(live: Object, manager: str) -> Object:
    """What the engine records of a living object."""
    kept = without_server_set(live, keep=("uid", "creationTimestamp", "generation"))
    return {**kept, MANAGER: manager, INITIAL_VERSION: live["apiVersion"]}


def foreseen(dry: Object, declared: Object) -> Object:
    """Of a dry run's object, what a real creation will bring too."""
    obj = without_server_set(dry)
    obj.pop("status", None)
    if obj["kind"] == "Service" and obj["apiVersion"] == "v1":
        for field in ("clusterIP", "clusterIPs"):
            if field not in (declared.get("spec") or {}):
                obj["spec"][field] = UNKNOWN
    return obj


def secret_paths(obj: Object, secrets: frozenset[Path]) -> frozenset[Path]:
    """`secrets`, and what of a v1 Secret is secret whether the program says so or not."""
    if obj.get("apiVersion") != "v1" or obj.get("kind") != "Secret":
        return secrets
    always: set[Path] = {(field,) for field in ("data", "stringData") if field in obj}
    if LAST_APPLIED in (obj.get("metadata") or {}).get("annotations", {}):
        always.add(("metadata", "annotations", LAST_APPLIED))
    return outermost(secrets | always)


def decoded_data(live: Object) -> dict[str, str]:
    """A v1 Secret's data as the text that `stringData` would hold it as; what is no text is left out."""
    texts = {}
    for key, value in (live.get("data") or {}).items():
        try:
            texts[key] = base64.b64decode(value).decode()
        except ValueError:
            continue
    return texts
