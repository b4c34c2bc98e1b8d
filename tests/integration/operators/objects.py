"""InferenceModels to apply, and what a test looks at afterwards."""

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


def versions(cluster: Cluster) -> dict[str, str]:
    """The resourceVersion of each object and child: equal twice means that nothing was written between."""
    objects = [*children(cluster).values(), *get(cluster, "inferencemodels")]
    return {f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in objects}


def condition(cluster: Cluster, name: str, kind: str) -> dict[str, Any]:
    """A condition of a model; {} while it has none."""
    found = json.loads(cluster.kubectl("-n", NAMESPACE, "get", "im", name, "-o", "json"))
    listed: list[dict[str, Any]] = found.get("status", {}).get("conditions", [])
    return next((entry for entry in listed if entry["type"] == kind), {})


def delete_all(cluster: Cluster) -> None:
    cluster.kubectl("-n", NAMESPACE, "delete", "im", "--all", "--wait")
