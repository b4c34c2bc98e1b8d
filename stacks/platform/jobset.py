"""JobSet's controller in the platform's own namespace: upstream's kind, rights and webhooks, and a pod that is ours."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from operators import pods
from operators.children import Manifest

NAME: Final = "jobset-controller"
SERVICE: Final = "jobset-webhook-service"
SECRET: Final = "jobset-webhook-server-cert"
"""The controller fills it, and the webhooks with it."""
WEBHOOKS: Final = {
    "MutatingWebhookConfiguration": "jobset-mutating-webhook-configuration",
    "ValidatingWebhookConfiguration": "jobset-validating-webhook-configuration",
}
"""By these names the controller looks for them (pkg/util/cert/cert.go)."""
JOBSET_PODS: Final = {"matchExpressions": [{"key": "jobset.sigs.k8s.io/jobset-name", "operator": "Exists"}]}
SKIP_AWAIT: Final = "pulumi.com/skipAwait"
SETTINGS: Final = {
    "apiVersion": "config.jobset.x-k8s.io/v1alpha1",
    "kind": "Configuration",
    "leaderElection": {"leaderElect": False},
    "internalCertManagement": {"enable": True},
    "metrics": {"bindAddress": "0"},
}


def kind(parts: Sequence[Manifest], labels: dict[str, str]) -> Iterable[Manifest]:
    """The kind; `labels` say whose it is."""
    for part in parts:
        if part["kind"] == "CustomResourceDefinition":
            metadata = {**part["metadata"], "labels": {**part["metadata"].get("labels", {}), **labels}}
            yield {**part, "metadata": metadata}


def controller(parts: Sequence[Manifest], namespace: str, image: str) -> Iterable[Manifest]:
    """All else, in an order in which each finds what it needs."""
    home = {"name": NAME, "namespace": namespace}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": home}
    rules = next(part["rules"] for part in parts if part["kind"] == "ClusterRole")
    yield _role("ClusterRole", f"homespun-{NAME}", None, rules)
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "update", "watch"]}
    yield _role("Role", NAME, namespace, [secrets])
    yield _binding("ClusterRole", f"homespun-{NAME}", None, namespace)
    yield _binding("Role", NAME, namespace, namespace)
    yield {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": namespace}, "type": "Opaque"}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": home, "data": {"config.yaml": json.dumps(SETTINGS)}}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": namespace},
        "spec": {
            "selector": {"app.kubernetes.io/name": NAME},
            "ports": [{"name": "webhook", "port": 443, "targetPort": "webhook"}],
        },
    }
    yield _deployment(namespace, image)
    for part in parts:
        if part["kind"] in WEBHOOKS:
            yield {
                "apiVersion": part["apiVersion"],
                "kind": part["kind"],
                "metadata": {"name": WEBHOOKS[part["kind"]]},
                "webhooks": [_webhook(one, namespace) for one in part["webhooks"]],
            }


def _webhook(webhook: dict[str, Any], namespace: str) -> dict[str, Any]:
    service = {**webhook["clientConfig"]["service"], "name": SERVICE, "namespace": namespace}
    placed = {**webhook, "clientConfig": {"service": service}}
    if any("pods" in rule["resources"] for rule in webhook["rules"]):
        # Without this, every pod of the cluster would wait for this controller.
        placed["objectSelector"] = JOBSET_PODS
    return placed


def _role(kind_: str, name: str, namespace: str | None, rules: list[dict[str, Any]]) -> Manifest:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind_, "metadata": metadata, "rules": rules}


def _binding(kind_: str, name: str, namespace: str | None, home: str) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind_}Binding",
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind_, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": home}],
    }


def _deployment(namespace: str, image: str) -> Manifest:
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "pulumi"}
    container = {
        "name": NAME,
        "image": image,
        "args": ["--config=/config/config.yaml", "--zap-devel=false"],
        "ports": [{"name": "webhook", "containerPort": 9443}, {"name": "health", "containerPort": 8081}],
        "resources": {"requests": {"cpu": "25m", "memory": "48Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": pods.CONTAINER_SECURITY,
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "health"}, "periodSeconds": 20},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "health"}, "periodSeconds": 2},
        "volumeMounts": [
            pods.TMP_MOUNT,
            {"name": "config", "mountPath": "/config", "readOnly": True},
            {"name": "certificate", "mountPath": "/tmp/k8s-webhook-server/serving-certs", "readOnly": True},
        ],
    }
    pod = {
        "serviceAccountName": NAME,
        "enableServiceLinks": False,
        "securityContext": pods.POD_SECURITY,
        "containers": [container],
        "volumes": [
            pods.TMP,
            {"name": "config", "configMap": {"name": NAME}},
            {"name": "certificate", "secret": {"secretName": SECRET, "defaultMode": 0o440}},
        ],
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # two would fill one Secret
        "selector": {"matchLabels": {"app.kubernetes.io/name": NAME}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    # It makes its own certificate, and the kubelet takes up to a minute to bring that into its pod: nobody has to wait.
    metadata = {"name": NAME, "namespace": namespace, "labels": labels, "annotations": {SKIP_AWAIT: "true"}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
