"""What every child carries: whose it is, and of which kind of object."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

KIND_LABEL: Final = "homespun.dev/kind"
"""On each child: for which kind of object it was made."""
MANAGED_BY: Final = {"app.kubernetes.io/managed-by": "homespun"}

Manifest = dict[str, Any]


def child(manifest: Manifest, kind: str, owners: Iterable[Manifest]) -> Manifest:
    """The manifest, labelled as a child of `kind` and owned by `owners`: gone when the last of them is."""
    metadata = dict(manifest["metadata"])
    metadata["labels"] = {**metadata.get("labels", {}), **MANAGED_BY, KIND_LABEL: kind}
    metadata["ownerReferences"] = list(owners)  # server-side apply takes away an owner that is no longer named
    return {**manifest, "metadata": metadata}


def owned(manifests: Iterable[Manifest], kind: str, owners: Sequence[Manifest]) -> list[Manifest]:
    """A kind's children. All go with the last object but the configuration: that one then says 'nothing', since to
    those who follow it a deletion could as well be an accident."""
    return [child(one, kind, () if one["kind"] == "ConfigMap" else owners) for one in manifests]


def secret(namespace: str, name: str, values: Mapping[str, str]) -> Manifest:
    """A Secret of the operator's own."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": dict(values)}


def config_map(namespace: str, name: str, data: Mapping[str, str]) -> Manifest:
    """What programs are told."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def servers_service(namespace: str, name: str, labels: Mapping[str, str], ports: Sequence[Manifest]) -> Manifest:
    """A headless Service, whose EndpointSlices tell gateways which servers there are."""
    spec = {
        "clusterIP": "None",
        "selector": dict(labels),
        # A server whose engine is away still says what it holds; gateways decide by that.
        "publishNotReadyAddresses": True,
        "ports": list(ports),
    }
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def deployment(
    namespace: str,
    name: str,
    labels: Mapping[str, str],
    strategy: Mapping[str, Any],
    pod: Manifest,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """A Deployment of one pod; other `annotations` are another pod."""
    told = {"annotations": dict(annotations)} if annotations else {}
    spec = {
        "replicas": 1,
        "strategy": dict(strategy),
        "selector": {"matchLabels": dict(labels)},
        "template": {"metadata": {"labels": dict(labels), **told}, "spec": pod},
    }
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
