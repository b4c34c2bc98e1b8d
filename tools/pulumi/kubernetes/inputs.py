"""What a program declares → what is recorded and applied: a name, a namespace, a field manager."""

import copy
import random
from dataclasses import dataclass
from typing import Any, Final

from tools.pulumi.kubernetes.errors import MANAGER_PREFIX
from tools.pulumi.kubernetes.objects import ANNOTATIONS, MANAGER, Object, annotation
from tools.pulumi.kubernetes.values import UNKNOWN

HEX: Final = "0123456789abcdef"
UNSUPPORTED: Final = ("waitFor", "replaceUnready")


@dataclass(frozen=True)
class Failure:
    """An input that can't be taken: the property, and why."""

    property: str
    reason: str


def resource_name(urn: str) -> str:
    """The name that the program gave a resource: `a` of `urn:pulumi:dev::project::kubernetes:core/v1:ConfigMap::a`."""
    return urn.split("::", 3)[-1]


def is_patch(token: str) -> bool:
    """Whether a type (`kubernetes:core/v1:ConfigMapPatch`) declares fields of an object that somebody else owns."""
    return token.endswith("Patch")


def kind_of(token: str) -> tuple[str, str]:
    """apiVersion and kind of a type: `kubernetes:core/v1:ConfigMap` → (`v1`, `ConfigMap`)."""
    _, version, kind = token.split(":")
    return version.removeprefix("core/"), kind.removesuffix("Patch")


def named(token: str, identifier: str) -> Object:
    """The object that an import names by its type and ID."""
    version, kind = kind_of(token)
    namespace, _, name = identifier.rpartition("/")
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def failures(declared: Object, token: str) -> list[Failure]:
    """What is wrong with what a program declares, as far as that can be said without the server."""
    found = [Failure(key, "expected a text, found none") for key in ("apiVersion", "kind") if not declared.get(key)]
    metadata: Any = declared.get("metadata") or {}
    if metadata == UNKNOWN:
        return found
    name = metadata.get("name")
    if is_patch(token) and not name:
        found.append(Failure("metadata.name", "expected the name of the object to patch, found none"))
    if isinstance(name, str) and name != UNKNOWN and name.split() != [name] and name:
        found.append(Failure("metadata.name", f"expected a name without blanks, got {name!r}"))
    if metadata.get("generateName"):
        found.append(Failure("metadata.generateName", "not supported; leave the name away, and one is made"))
    return found + [
        Failure(f"metadata.annotations[{ANNOTATIONS}{name}]", "known to the official plugin only")
        for name in UNSUPPORTED
        if annotation(declared, name)
    ]


def completed(
    declared: Object, recorded: Object, *, urn: str, token: str, seed: bytes, namespace: str | None
) -> Object:
    """`declared` with a name, a namespace and a field manager: those of `recorded`, else new ones made from `seed`.

    `namespace` is where an object goes that names none; None where its kind has no namespaces.
    """
    inputs: Object = copy.deepcopy(declared)
    rng = random.Random(bytes(seed))  # noqa: S311 (a name is no secret; the same seed makes the same name)
    metadata: Any = inputs.setdefault("metadata", {})
    if metadata != UNKNOWN:
        _name(metadata, recorded, urn, token, rng)
        if namespace and not metadata.get("namespace"):
            metadata["namespace"] = namespace
    inputs[MANAGER] = (
        annotation(declared, "patchFieldManager") or recorded.get(MANAGER) or f"{MANAGER_PREFIX}{_random(rng)}"
    )
    return inputs


def _name(metadata: dict[str, Any], recorded: Object, urn: str, token: str, rng: random.Random) -> None:
    if metadata.get("name") or is_patch(token):
        return
    if annotation(recorded, "autonamed") == "true":
        metadata["name"] = recorded["metadata"]["name"]
    else:
        metadata["name"] = f"{resource_name(urn)}-{_random(rng)}"
    metadata["annotations"] = {**(metadata.get("annotations") or {}), f"{ANNOTATIONS}autonamed": "true"}


def _random(rng: random.Random) -> str:
    return "".join(rng.choices(HEX, k=8))
