"""yaml/v2 ConfigGroup and ConfigFile: components whose children are the objects of some YAML."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pulumi
import yaml
from pulumi.provider.experimental import provider
from pulumi.provider.experimental.property_value import PropertyValue

from tools.pulumi.kubernetes.errors import KubernetesError
from tools.pulumi.kubernetes.objects import ANNOTATIONS, Object

FIRST: Final = ("CustomResourceDefinition", "Namespace")
"""Kinds that the others may need; these are made, and ready, before the others."""
KNOWN: Final = frozenset({"yaml/v2:ConfigGroup", "yaml/v2:ConfigFile"})


class Components(provider.Provider):
    """Makes the children of one component at a time: the SDK's settings are global."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self._version = version
        self._one = asyncio.Lock()

    async def construct(self, request: provider.ConstructRequest) -> provider.ConstructResponse:
        """Register the component and its children; each child goes through the provider as any resource does.

        Raises InputPropertyError, which the engine shows without a traceback.
        """
        if request.resource_type.removeprefix("kubernetes:") not in KNOWN:
            raise pulumi.InputPropertyError("type", f"{request.resource_type}: known to the official plugin only")
        secret = any(_is_secret(value) for value in request.inputs.values())
        given = {key: _plain(value) for key, value in request.inputs.items()}
        try:
            objects = declared_objects(given)
        except KubernetesError as error:
            raise pulumi.InputPropertyError("manifests", str(error)) from error
        if given.get("skipAwait"):
            objects = [_unawaited(obj) for obj in objects]
        component = pulumi.ComponentResource(request.resource_type, request.name, {}, request.options)
        prefix = given.get("resourcePrefix") or request.name
        first: list[pulumi.Resource] = []
        for obj in sorted(objects, key=lambda obj: obj["kind"] not in FIRST):
            properties = _all_secret(obj) if secret else obj
            options = pulumi.ResourceOptions(parent=component, depends_on=list(first), version=self._version)
            child = pulumi.CustomResource(token(obj), child_name(prefix, obj), properties, options)
            if obj["kind"] in FIRST:
                first.append(child)
        return provider.ConstructResponse(str(await component.urn.future()), {}, {})


def declared_objects(given: dict[str, Any]) -> list[Object]:
    """The objects of a component's inputs `yaml`, `files` (patterns), `file` and `objs`. Raises KubernetesError."""
    texts = {"yaml": given["yaml"]} if given.get("yaml") else {}
    for pattern in [*(given.get("files") or []), *([given["file"]] if given.get("file") else [])]:
        texts |= _files(pattern)
    found = [obj for where, text in texts.items() for obj in _parse(where, text)]
    return found + [dict(obj) for obj in given.get("objs") or []]


def token(obj: Object) -> str:
    """The type of an object's resource: `kubernetes:apps/v1:Deployment`, `kubernetes:core/v1:ConfigMap`."""
    version = obj["apiVersion"] if "/" in obj["apiVersion"] else f"core/{obj['apiVersion']}"
    return f"kubernetes:{version}:{obj['kind']}"


def child_name(prefix: str, obj: Object) -> str:
    """The name of an object's resource: `prefix:namespace/name`."""
    namespace = obj["metadata"].get("namespace")
    return f"{prefix}:{namespace}/{obj['metadata']['name']}" if namespace else f"{prefix}:{obj['metadata']['name']}"


def _files(pattern: str) -> dict[str, str]:
    path = Path(pattern)
    found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
    if not found:
        raise KubernetesError(f"{pattern}: expected files of YAML, found none")
    return {str(file): file.read_text() for file in found}


def _parse(where: str, text: str) -> list[Object]:
    try:
        documents = [document for document in yaml.safe_load_all(text) if document]
    except yaml.YAMLError as error:
        raise KubernetesError(f"{where}: {error}") from error
    flat = [item for document in documents for item in _items(document)]
    for obj in flat:
        if not (isinstance(obj, dict) and obj.get("apiVersion") and obj.get("kind") and _name(obj)):
            raise KubernetesError(
                f"{where}: expected objects with apiVersion, kind and metadata.name, found one without"
            )
    return flat


def _items(document: Any) -> list[Any]:
    """A `List`'s items; any other document itself."""
    is_list = isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and "items" in document
    return list(document["items"]) if is_list else [document]


def _name(obj: dict[str, Any]) -> Any:
    return (obj.get("metadata") or {}).get("name")


def _unawaited(obj: Object) -> Object:
    metadata = obj["metadata"]
    annotations = {**(metadata.get("annotations") or {}), f"{ANNOTATIONS}skipAwait": "true"}
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def _all_secret(obj: Object) -> Object:
    """Which part of a secret text was meant can't be known: all but the identity is secret."""
    identity = ("apiVersion", "kind", "metadata")
    return {key: value if key in identity else pulumi.Output.secret(value) for key, value in obj.items()}


def _is_secret(value: PropertyValue) -> bool:
    inner: Any = value.value
    if value.is_secret:
        return True
    if hasattr(inner, "values"):
        return any(_is_secret(item) for item in inner.values())
    return isinstance(inner, list | tuple) and any(_is_secret(item) for item in inner)


def _plain(value: PropertyValue) -> Any:
    """JSON; whole numbers become ints."""
    inner: Any = value.value
    if hasattr(inner, "items"):
        return {key: _plain(item) for key, item in inner.items()}
    if isinstance(inner, list | tuple):
        return [_plain(item) for item in inner]
    return int(inner) if isinstance(inner, float) and inner.is_integer() else inner
