"""The children of `InferenceModel`s: pure builders. They belong to all models of a namespace together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from operators import children, pods
from operators.children import Manifest
from workloads.inference.config import (
    AGENT_PORT_NAME,
    CONFIG_KEY,
    CONFIG_MAP,
    GRPC_PORT_NAME,
    SERVERS_SERVICE,
    SOURCES_SECRET,
)

PROBE_SECRET: Final = "inference-probe"
SERVER: Final = "inference-server"
"""Name of the Deployment, of its ServiceAccount (made with the platform) and of its app label."""
LABELS: Final = {"app.kubernetes.io/name": SERVER}
GRPC_PORT: Final = 8001
AGENT_PORT: Final = 8090


@dataclass(frozen=True)
class Images:
    """What the server's containers run from."""

    triton: str
    serving: str


def config_map(namespace: str, document: str) -> Manifest:
    """What gateways and agents follow."""
    metadata = {"name": CONFIG_MAP, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {CONFIG_KEY: document}}


def sources_secret(namespace: str, tokens: Mapping[str, str]) -> Manifest:
    """The hub's tokens, by model name, for the agents alone."""
    return children.secret(namespace, SOURCES_SECRET, tokens)


def service(namespace: str) -> Manifest:
    """Headless: its EndpointSlices tell gateways which servers there are."""
    spec = {
        "clusterIP": "None",
        "selector": LABELS,
        # A server whose engine is away still says what it holds; gateways decide by that.
        "publishNotReadyAddresses": True,
        "ports": [
            {"name": GRPC_PORT_NAME, "port": GRPC_PORT, "targetPort": GRPC_PORT_NAME},
            {"name": AGENT_PORT_NAME, "port": AGENT_PORT, "targetPort": AGENT_PORT_NAME},
        ],
    }
    metadata = {"name": SERVERS_SERVICE, "namespace": namespace, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def deployment(namespace: str, images: Images, claims: tuple[str, ...]) -> Manifest:
    """Triton and its agent in one restricted pod; `claims` are mounted, read-only, for the agent to fetch from."""
    pod = {
        "serviceAccountName": SERVER,
        "enableServiceLinks": False,
        "securityContext": pods.POD_SECURITY,
        # Triton finishes what it is computing; server.py makes it give up before this.
        "terminationGracePeriodSeconds": 30,
        "containers": [_triton(images.triton), _agent(images.serving, claims)],
        "volumes": [
            {"name": "repository", "emptyDir": {}},
            pods.TMP,
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
            *({"name": pods.volume(claim), "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
              for claim in claims),
        ],
    }  # fmt: skip
    spec = {
        "replicas": 1,
        # The next server is up, with all models loaded, before this one goes.
        "strategy": pods.ROLLING,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    metadata = {"name": SERVER, "namespace": namespace, "labels": LABELS}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _triton(image: str) -> dict[str, Any]:
    return {
        "name": "triton",
        "image": image,
        "command": ["python", "-m", "workloads.inference.server"],
        "ports": [{"name": GRPC_PORT_NAME, "containerPort": GRPC_PORT}],
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        "securityContext": pods.CONTAINER_SECURITY,
        "env": [pods.HOME],
        "startupProbe": {"grpc": {"port": GRPC_PORT}, "periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": {"grpc": {"port": GRPC_PORT}, "periodSeconds": 5, "failureThreshold": 3, "timeoutSeconds": 5},
        "volumeMounts": [
            {"name": "repository", "mountPath": "/repository"},
            pods.TMP_MOUNT,
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
    }


def _agent(image: str, claims: tuple[str, ...]) -> dict[str, Any]:
    limit = {"resourceFieldRef": {"containerName": "triton", "resource": "limits.memory"}}
    health = {"httpGet": {"path": "/healthz", "port": AGENT_PORT_NAME}}
    return {
        "name": "agent",
        "image": image,
        "command": ["python", "-m", "workloads.inference.agent"],
        "ports": [{"name": AGENT_PORT_NAME, "containerPort": AGENT_PORT}],
        "resources": {"requests": {"cpu": "25m", "memory": "96Mi"}, "limits": {"memory": "384Mi"}},
        "securityContext": pods.CONTAINER_SECURITY,
        "env": [
            pods.HOME,
            {"name": "MEMORY_LIMIT", "valueFrom": limit},
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        ],
        "readinessProbe": {**health, "periodSeconds": 2},
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 5},
        "volumeMounts": [
            {"name": "repository", "mountPath": "/repository"},
            pods.TMP_MOUNT,
            *({"name": pods.volume(claim), "mountPath": f"/claims/{claim}", "readOnly": True} for claim in claims),
        ],
    }  # fmt: skip
