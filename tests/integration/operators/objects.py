"""Objects of all kinds to apply, and what a test looks at afterwards."""

import json
from typing import Any

import yaml

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE

CHILDREN = "deployments,services,configmaps,secrets"


def inference_model(name: str, folder: str = "minilm", **spec: Any) -> dict[str, Any]:
    source = {"uri": f"pvc://models/{folder}"}
    return {
        "apiVersion": "homespun.dev/v1alpha1",
        "kind": "InferenceModel",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"modelId": f"org/{name}", "task": "feature-extraction", "source": source, **spec},
    }


def vector_collection(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "homespun.dev/v1alpha1",
        "kind": "VectorCollection",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"vectors": {"dimension": 4}, **spec},
    }


def training_job(name: str, **spec: Any) -> dict[str, Any]:
    declared = {
        "model": {"family": "gpt2", "size": "124M"},
        "data": {"uri": "pvc://data/texts", "seqLen": 128},
        "objective": {"steps": 10, "globalBatchTokens": 1024},
        "workers": {"count": 2},
        **spec,
    }
    return {
        "apiVersion": "homespun.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": declared,
    }


def pod_of(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """A pod that the restricted standard lets in, as a controller would make it; no kubelet will run it."""
    security = {"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {
        "name": "worker",
        "image": "x:1",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"securityContext": security, "containers": [container], "automountServiceAccountToken": False},
    }


def apply(cluster: Cluster, *documents: dict[str, Any]) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=yaml.safe_dump_all(documents))


def get(cluster: Cluster, kinds: str, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cluster.kubectl("-n", NAMESPACE, "get", kinds, "-o", "json", *arguments))[
        "items"
    ]
    return found


def children(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The operator's children by kind and name."""
    found = get(cluster, CHILDREN, "-l", "homespun.dev/kind=InferenceModel")
    return {f"{child['kind']}/{child['metadata']['name']}": child for child in found}


def versions(cluster: Cluster, kind: str = "InferenceModel", kinds: str = CHILDREN) -> dict[str, str]:
    """The resourceVersion of each object and child of a kind: equal twice means that nothing was written between."""
    made = get(cluster, kinds, "-l", f"homespun.dev/kind={kind}")
    objects = [*made, *get(cluster, f"{kind.lower()}s")]
    return {f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in objects}


def status(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    """The status of an object of ours."""
    found: dict[str, Any] = json.loads(cluster.kubectl("-n", NAMESPACE, "get", kind, name, "-o", "json"))
    shown: dict[str, Any] = found.get("status", {})
    return shown


def condition(cluster: Cluster, name: str, type_: str, kind: str = "im") -> dict[str, Any]:
    """A condition of an object; {} while it has none."""
    found = {"status": status(cluster, kind, name)}
    listed: list[dict[str, Any]] = found.get("status", {}).get("conditions", [])
    return next((entry for entry in listed if entry["type"] == type_), {})


def delete_all(cluster: Cluster) -> None:
    cluster.kubectl("-n", NAMESPACE, "delete", "im", "--all", "--wait")
