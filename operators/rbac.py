"""The rights of our programs, one row a reason. Tests record what they do: no more than this, each row used."""

from dataclasses import dataclass
from typing import Any, Final

from homespun.api import inference, training, vectors
from homespun.api.fields import GROUP
from workloads.inference.config import CONFIG_MAP, SOURCES_SECRET
from workloads.vectors.config import CONFIG_MAP as VECTORS

API_VERSION: Final = "rbac.authorization.k8s.io/v1"


@dataclass(frozen=True)
class Right:
    """Verbs on resources of a group in the namespace of the users' objects, and why."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()
    """Only the objects of these names; empty: all. A watch then needs a field selector on the name."""


PLURALS: Final = (inference.PLURAL, vectors.PLURAL, training.PLURAL)
OPERATOR: Final = (
    Right(GROUP, PLURALS, ("list", "watch"), "follow what is declared"),
    Right(GROUP, tuple(f"{plural}/status" for plural in PLURALS), ("patch",), "show what is observed"),
    Right("", ("configmaps",), ("get", "list", "watch", "create", "patch", "delete"), "what programs are told"),
    Right("", ("secrets",), ("get", "list", "watch", "create", "patch", "delete"), "declared tokens, and its own"),
    Right("", ("persistentvolumeclaims",), ("list",), "which claims the pods can mount"),
    Right("", ("pods",), ("list", "watch"), "what a Job's pod left, why a worker does not start, or died"),
    Right("", ("pods/log",), ("get",), "how far it is"),
    Right("", ("services",), ("list", "watch", "create", "patch", "delete"), "where the servers are found"),
    Right("apps", ("deployments",), ("list", "watch", "create", "patch", "delete"), "the servers"),
    Right("batch", ("jobs",), ("get", "list", "watch", "create", "patch", "delete"), "what fills collections"),
    Right("jobset.x-k8s.io", ("jobsets",), ("get", "list", "watch", "create", "patch"), "the workers"),
)  # fmt: skip

SERVER: Final = (
    Right("", ("configmaps",), ("watch",), "the agent follows its configuration", (CONFIG_MAP,)),
    Right("", ("secrets",), ("get",), "and fetches private sources with the hub's tokens", (SOURCES_SECRET,)),
)
GATEWAY: Final = (
    Right("", ("configmaps",), ("watch",), "the gateway follows its configuration", (CONFIG_MAP,)),
    Right("discovery.k8s.io", ("endpointslices",), ("list", "watch"), "and finds the servers"),
)
VECTORS_SERVER: Final = (Right("", ("configmaps",), ("watch",), "the agent follows its configuration", (VECTORS,)),)
VECTORS_GATEWAY: Final = (
    Right("", ("configmaps",), ("watch",), "the gateway follows its configuration", (VECTORS,)),
    Right("discovery.k8s.io", ("endpointslices",), ("list", "watch"), "and finds the engine"),
)
PAGE: Final = (Right(GROUP, PLURALS, ("list",), "the page shows what there is"),)
PAGE_CLUSTER: Final = (Right("", ("nodes",), ("list",), "and the machines"),)


def role(name: str, namespace: str, rights: tuple[Right, ...]) -> dict[str, Any]:
    """The rights as a Role."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": "Role", "metadata": metadata, "rules": _rules(rights)}


def cluster_role(name: str, rights: tuple[Right, ...]) -> dict[str, Any]:
    """The rights, on what belongs to no namespace, as a ClusterRole."""
    return {"apiVersion": API_VERSION, "kind": "ClusterRole", "metadata": {"name": name}, "rules": _rules(rights)}


def _rules(rights: tuple[Right, ...]) -> list[dict[str, Any]]:
    return [
        {"apiGroups": [right.group], "resources": list(right.resources), "verbs": list(right.verbs)}
        | ({"resourceNames": list(right.names)} if right.names else {})
        for right in rights
    ]
