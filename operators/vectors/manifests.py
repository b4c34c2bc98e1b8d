"""The children of `VectorCollection`s: pure builders. They belong to all collections of a namespace together."""

from dataclasses import dataclass
from typing import Any, Final

from operators import children, pods
from operators.children import Manifest
from workloads.vectors.config import AGENT_PORT_NAME, CONFIG_KEY, CONFIG_MAP, ENGINE_PORT_NAME, SERVERS_SERVICE

PROBE_SECRET: Final = "vectors-probe"
SERVER: Final = "vector-server"
"""Name of the Deployment, of its ServiceAccount (made with the platform) and of its app label."""
CLAIM: Final = "vectors"
"""The claim that holds Milvus's data; it comes with the platform."""
LABELS: Final = {"app.kubernetes.io/name": SERVER}
ENGINE_PORT: Final = 19530
HEALTH_PORT: Final = 9091
AGENT_PORT: Final = 8090


@dataclass(frozen=True)
class Images:
    """What the server's containers run from."""

    milvus: str
    vectors: str
    ingest: str


def config_map(namespace: str, document: str) -> Manifest:
    """What gateways and agents follow."""
    return children.config_map(namespace, CONFIG_MAP, {CONFIG_KEY: document})


def service(namespace: str) -> Manifest:
    """Where gateways find the engine and its agent."""
    ports = [
        {"name": ENGINE_PORT_NAME, "port": ENGINE_PORT, "targetPort": ENGINE_PORT},
        {"name": AGENT_PORT_NAME, "port": AGENT_PORT, "targetPort": AGENT_PORT_NAME},
    ]
    return children.servers_service(namespace, SERVERS_SERVICE, LABELS, ports)


def deployment(namespace: str, images: Images, own_engine: bool) -> Manifest:
    """Milvus and its agent in one restricted pod; the agent alone, where all collections are in engines elsewhere."""
    data = [{"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}] if own_engine else []
    pod = {
        "serviceAccountName": SERVER,
        "enableServiceLinks": False,
        "securityContext": pods.POD_SECURITY,
        # Milvus ignores SIGTERM for all of its grace, and loses nothing by SIGKILL.
        "terminationGracePeriodSeconds": 5,
        "containers": [*([_milvus(images.milvus)] if own_engine else []), _agent(images.vectors)],
        "volumes": [pods.TMP, *data],
    }
    # Two must not have the data at once.
    return children.deployment(namespace, SERVER, LABELS, pods.RECREATE, pod)


def _milvus(image: str) -> dict[str, Any]:
    health = {"httpGet": {"path": "/healthz", "port": HEALTH_PORT}}
    return {
        "name": "milvus",
        "image": image,
        "command": ["python", "-m", "workloads.vectors.engine"],
        "ports": [{"name": ENGINE_PORT_NAME, "containerPort": ENGINE_PORT}],
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "4Gi"}},
        "securityContext": pods.CONTAINER_SECURITY,
        "env": [pods.HOME],
        # After a SIGKILL it waits for the leases of the one before.
        "startupProbe": {**health, "periodSeconds": 1, "failureThreshold": 180, "timeoutSeconds": 3},
        # It can be half dead: then it takes connections and answers nothing.
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 5},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, pods.TMP_MOUNT],
    }


def _agent(image: str) -> dict[str, Any]:
    health = {"httpGet": {"path": "/healthz", "port": AGENT_PORT_NAME}}
    return {
        "name": "agent",
        "image": image,
        "command": ["python", "-m", "workloads.vectors.agent"],
        "ports": [{"name": AGENT_PORT_NAME, "containerPort": AGENT_PORT}],
        "resources": {"requests": {"cpu": "25m", "memory": "128Mi"}, "limits": {"memory": "384Mi"}},
        "securityContext": pods.CONTAINER_SECURITY,
        "env": [pods.HOME, pods.NAMESPACE],
        "readinessProbe": {**health, "periodSeconds": 2},
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 5},
        "volumeMounts": [pods.TMP_MOUNT],
    }
