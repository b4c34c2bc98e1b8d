"""Objects of all kinds to apply, and what a test looks at afterwards."""

from typing import Any

import yaml

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE

CHILDREN = "deployments,services,configmaps,secrets"
APIS = {
    **dict.fromkeys(("configmaps", "events", "pods", "secrets", "services"), "api/v1"),
    "deployments": "apis/apps/v1",
    "jobs": "apis/batch/v1",
    "jobsets": "apis/jobset.x-k8s.io/v1alpha2",
    **dict.fromkeys(("inferencemodels", "vectorcollections", "trainingjobs"), "apis/homespun.dev/v1alpha1"),
}
"""Where the API has each kind, by its plural."""
SHORT_NAMES = {"im": "inferencemodels", "vc": "vectorcollections", "tj": "trainingjobs"}


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


def get(cluster: Cluster, kinds: str, labels: str = "") -> list[dict[str, Any]]:
    """All of some kinds, by their plurals or short names with commas between."""
    return [
        item
        for plural in (SHORT_NAMES.get(kind, kind) for kind in kinds.split(","))
        for item in cluster.items(f"{APIS[plural]}/namespaces/{NAMESPACE}/{plural}", labels)
    ]


def children(cluster: Cluster, kind: str = "InferenceModel", kinds: str = CHILDREN) -> dict[str, dict[str, Any]]:
    """The operator's children for objects of a kind, by kind and name."""
    found = get(cluster, kinds, f"homespun.dev/kind={kind}")
    return {f"{child['kind']}/{child['metadata']['name']}": child for child in found}


def versions(cluster: Cluster, kind: str = "InferenceModel", kinds: str = CHILDREN) -> dict[str, str]:
    """The resourceVersion of each object and child of a kind: equal twice means that nothing was written between."""
    objects = {f"{kind}/{item['metadata']['name']}": item for item in get(cluster, f"{kind.lower()}s")}
    known = children(cluster, kind, kinds) | objects
    return {name: item["metadata"]["resourceVersion"] for name, item in known.items()}


def status(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    """The status of an object of ours."""
    (found,) = (item for item in get(cluster, kind) if item["metadata"]["name"] == name)
    shown: dict[str, Any] = found.get("status", {})
    return shown


def condition(cluster: Cluster, name: str, type_: str, kind: str = "im") -> dict[str, Any]:
    """A condition of an object; {} while it has none."""
    listed: list[dict[str, Any]] = status(cluster, kind, name).get("conditions", [])
    return next((entry for entry in listed if entry["type"] == type_), {})


def delete_all(cluster: Cluster) -> None:
    cluster.kubectl("-n", NAMESPACE, "delete", "im,vc,tj", "--all", "--wait")
