"""A namespace for users' objects, with the CRDs, the roles, and nothing else: what the platform stack brings."""

from functools import partial
from typing import Final

import yaml

from homespun.api.crd import KINDS, definition
from homespun.api.fields import API_VERSION
from operators import rbac
from tests.integration.parts.kubernetes import Cluster
from tests.waiting import until
from tools import jobset

NAMESPACE: Final = "ml"
SUBJECTS: Final = {
    "operator": rbac.OPERATOR,
    "inference-server": rbac.SERVER,
    "gateway": rbac.GATEWAY,
    "vector-server": rbac.VECTORS_SERVER,
    "vectors-gateway": rbac.VECTORS_GATEWAY,
    "page": rbac.PAGE,
}
"""Users by client certificate, each with the rights of the table and no more."""


def prepare(cluster: Cluster) -> None:
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    documents: list[dict[str, object]] = [definition(kind) for kind in KINDS]
    documents += [part for part in jobset.parts() if part["kind"] == "CustomResourceDefinition"]
    documents.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": restricted}})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
    for name in ("models", "vectors", "data"):
        metadata = {"name": name, "namespace": NAMESPACE}
        documents.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim})
    documents.append(rbac.cluster_role("page", rbac.PAGE_CLUSTER))
    documents.append(_binding("page", "ClusterRole", None))
    for user, rights in SUBJECTS.items():
        documents.append(rbac.role(user, NAMESPACE, rights))
        documents.append(_binding(user, "Role", NAMESPACE))
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(documents))
    names = [f"crd/{kind.plural}.homespun.dev" for kind in KINDS] + ["crd/jobsets.jobset.x-k8s.io"]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    for path in (*(f"{API_VERSION}/{kind.plural}" for kind in KINDS), "jobset.x-k8s.io/v1alpha2/jobsets"):
        until(f"{path}, a moment after it was established", partial(cluster.serves, f"apis/{path}"), 30)


def _binding(user: str, kind: str, namespace: str | None) -> dict[str, object]:
    return {
        "apiVersion": rbac.API_VERSION,
        "kind": f"{kind}Binding",
        "metadata": {"name": user} | ({"namespace": namespace} if namespace else {}),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
