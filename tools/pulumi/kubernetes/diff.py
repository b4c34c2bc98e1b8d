"""Declared then, declared now, alive: what differs, and whether an object must be replaced for it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from tools.pulumi.kubernetes.objects import MANAGER, Object, annotation, decoded_data, manifest

IDENTITY: Final = ("apiVersion", "kind", "metadata.name", "metadata.namespace")
"""What makes it another object."""
DATA: Final = {"ConfigMap": ("data", "binaryData", "immutable"), "Secret": ("data", "stringData", "type", "immutable")}
"""What the official plugin replaces these kinds for, unless they are declared mutable."""


class Change(Enum):
    """What happens to a property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Difference:
    """Paths (`spec.ports[0].port`) that differ, and those of them that an object is replaced for."""

    changes: Mapping[str, Change] = field(default_factory=dict)
    replaces: frozenset[str] = frozenset()


def declared_difference(old: Object, new: Object, default_namespace: str) -> dict[str, Change]:
    """How what is declared now differs from what was.

    What was read from the cluster, not declared (an import), holds the server's defaults too: there only what is
    declared now counts. A namespace that is spelled out or left to the default is the same namespace.
    """
    was, now = manifest(old), manifest(new)
    changes = dict(differences(was if MANAGER in old else project(was, now), now))
    namespaces = {(obj.get("metadata") or {}).get("namespace") for obj in (was, now)}
    if namespaces == {None, default_namespace}:
        changes.pop("metadata.namespace", None)
    return changes


def replacing(changes: Mapping[str, Change], new: Object, mutable: frozenset[str]) -> frozenset[str]:
    """The paths that need another object, as far as that is known without the server.

    `mutable`: of ConfigMap and Secret, the kinds whose data may be changed in place.
    """
    kind = str(new.get("kind")) if new.get("apiVersion") == "v1" else ""
    data = () if kind in mutable else DATA.get(kind, ())
    return frozenset(path for path in changes if path in IDENTITY or top_level(path) in data)


def refused(changes: Mapping[str, Change], fields: tuple[str, ...]) -> frozenset[str]:
    """Of `changes`, the paths that a server's refusal names; all where it names none of them."""
    named = frozenset(
        path for path in changes if any(name and (path.startswith(name) or name.startswith(path)) for name in fields)
    )
    return named or frozenset(changes)


def same_name(old: Object, new: Object) -> bool:
    """Whether both would be the same object to the server, so that the old one must go before the new one comes."""
    metadata, others = (old.get("metadata") or {}), (new.get("metadata") or {})
    return bool(metadata.get("name") == others.get("name") and metadata.get("namespace") == others.get("namespace"))


def top_level(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Change]]:
    """Each leaf that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            inner = f"{path}.{key}".lstrip(".") if re.fullmatch(r"\w+", key) else f'{path}["{key}"]'
            if key not in old:
                yield inner, Change.ADD
            elif key not in new:
                yield inner, Change.DELETE
            else:
                yield from differences(old[key], new[key], inner)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            inner = f"{path}[{index}]"
            if index >= len(old):
                yield inner, Change.ADD
            elif index >= len(new):
                yield inner, Change.DELETE
            else:
                yield from differences(old[index], new[index], inner)
    elif old != new:
        yield path, Change.UPDATE


def project(live: Any, declared: Any) -> Any:
    """The live values of just what `declared` names. Items of lists are matched by name where all have one."""
    if isinstance(declared, dict) and isinstance(live, dict):
        return {key: project(live[key], value) for key, value in declared.items() if key in live}
    if isinstance(declared, list) and isinstance(live, list):
        if all(isinstance(item, dict) and "name" in item for item in [*declared, *live]):
            by_name = {item["name"]: item for item in live}
            return [project(by_name[item["name"]], item) for item in declared if item["name"] in by_name]
        if len(declared) == len(live):
            return [project(one, other) for one, other in zip(live, declared, strict=True)]
    return live


def drifted(inputs: Object, live: Object) -> Object:
    """`inputs` as they would have to be for the object to be as it is."""
    found: Object = project(live, inputs)
    if "stringData" in inputs:  # the server keeps it in data
        texts = decoded_data(live)
        found["stringData"] = {key: texts[key] for key in inputs["stringData"] if key in texts}
    return found | {key: inputs[key] for key in ("apiVersion", "kind", MANAGER) if key in inputs}


def imported(live: Object) -> Object:
    """An object that was not declared yet, as inputs: all that a program could say of it."""
    return {key: value for key, value in live.items() if key != "status"}


def autonamed(obj: Object) -> bool:
    return annotation(obj, "autonamed") == "true"
