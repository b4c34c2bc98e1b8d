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
    return children.config_map(namespace, CONFIG_MAP, {CONFIG_KEY: document})


def sources_secret(namespace: str, tokens: Mapping[str, str]) -> Manifest:
    """The hub's tokens, by model name, for the agents alone."""
    return children.secret(namespace, SOURCES_SECRET, tokens)


def service(namespace: str) -> Manifest:
    """Where gateways find the servers and their agents."""
    ports = [
        {"name": GRPC_PORT_NAME, "port": GRPC_PORT, "targetPort": GRPC_PORT_NAME},
        {"name": AGENT_PORT_NAME, "port": AGENT_PORT, "targetPort": AGENT_PORT_NAME},
    ]
    return children.servers_service(namespace, SERVERS_SERVICE, LABELS, ports)


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
    # The next server is up, with all models loaded, before this one goes.
    return children.deployment(namespace, SERVER, LABELS, pods.ROLLING, pod)


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
            pods.NAMESPACE,
        ],
        "readinessProbe": {**health, "periodSeconds": 2},
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 5},
        "volumeMounts": [
            {"name": "repository", "mountPath": "/repository"},
            pods.TMP_MOUNT,
            *({"name": pods.volume(c), "mountPath": f"{pods.CLAIMS}/{c}", "readOnly": True} for c in claims),
        ],
    }  # fmt: skip
