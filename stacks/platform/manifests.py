"""What the platform stack puts on a cluster: pure builders, so that tests can read all of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from homespun.api.crd import KINDS, definition
from homespun.hosts import share
from operators import pods, rbac
from operators.children import Manifest
from operators.inference.manifests import SERVER
from operators.training import plan as training
from operators.vectors import manifests as vectors
from stacks.platform import ingress, jobset
from stacks.platform.ingress import Ingress
from stacks.settings.platform_stack import INGRESS_NAMES

SYSTEM: Final = "homespun-system"
"""The platform's own namespace."""
OPERATOR: Final = "homespun-operator"
GATEWAY: Final = "inference-gateway"
VECTORS_GATEWAY: Final = "vectors-gateway"
PAGE: Final = "page"
MODELS: Final = "models"
"""The claim that models are copied into."""
VECTORS: Final = vectors.CLAIM
DATA: Final = training.CLAIM
CLAIMS: Final = (MODELS, VECTORS, DATA)
OPERATORS_IMAGES: Final = ("triton", "serving", "milvus", "vectors", "ingest", "training")
"""What it makes pods of."""
FOR_MODELS, FOR_VECTORS, FOR_PAGE = INGRESS_NAMES
PORT: Final = 8080
OURS: Final = {"app.kubernetes.io/part-of": "homespun"}
"""On a namespace: it was made by us, and may be taken up again."""
PREFIX: Final = "homespun-"
"""Of what is not in a namespace of the platform's own, where others have names too."""


@dataclass(frozen=True)
class Platform:
    """What differs between one cluster and another."""

    namespace: str
    """Where users' objects and their children are."""
    address: str
    """Where clients reach the cluster's node ports."""
    images: Mapping[str, str]
    """References by name."""
    gateway_port: int = 30080
    page_port: int = 30081
    vectors_port: int = 30082
    models_size: str = "5Gi"
    vectors_size: str = "10Gi"
    data_size: str = "20Gi"
    jobset: tuple[Manifest, ...] = ()
    """JobSet's own parts; none: the cluster has it already."""
    ingress: Ingress | None = None
    """None: gateways and page are reached at node ports of their own."""
    volumes: str | None = None
    """The folder on our machines that holds the claims', by their names. None: the cluster's own default storage class
    provides them."""

    @property
    def gateway_url(self) -> str:
        """The inference gateway's address for clients."""
        return self.ingress.url(FOR_MODELS) if self.ingress else f"http://{self.address}:{self.gateway_port}"

    @property
    def vectors_url(self) -> str:
        """The vectors gateway's address for clients."""
        return self.ingress.url(FOR_VECTORS) if self.ingress else f"http://{self.address}:{self.vectors_port}"

    @property
    def page_url(self) -> str:
        """The page's address for browsers."""
        return f"{self.ingress.url(FOR_PAGE) if self.ingress else f'http://{self.address}:{self.page_port}'}/"


def manifests(platform: Platform) -> list[Manifest]:
    """All objects, in an order in which each finds what it needs."""
    return [
        _namespace(platform.namespace),
        _namespace(SYSTEM),
        *(definition(kind) for kind in KINDS),
        *jobset.kind(platform.jobset, OURS),
        *_rights(platform.namespace),
        *_claim(MODELS, platform.models_size, platform),
        *_claim(VECTORS, platform.vectors_size, platform),
        *_claim(DATA, platform.data_size, platform),
        *(jobset.controller(platform.jobset, SYSTEM, platform.images["jobset"]) if platform.jobset else ()),
        *_operator(platform),
        *_gateway(platform),
        *_vectors_gateway(platform),
        *_page(platform),
    ]


def way_in(platform: Platform, authority: str) -> list[Manifest]:
    """The ingress's objects but for its authority's Secret, if there is one; `authority` is its certificate."""
    if platform.ingress is None:
        return []
    return list(ingress.manifests(platform.ingress, SYSTEM, platform.images["ingress"], authority))


def upstreams(services: Mapping[str, str]) -> dict[str, str]:
    """What an ingress is in front of, by name: the gateways, the page, and `services` beside them."""
    ours = {FOR_MODELS: GATEWAY, FOR_VECTORS: VECTORS_GATEWAY, FOR_PAGE: PAGE}
    return {**{name: f"{service}.{SYSTEM}.svc:80" for name, service in ours.items()}, **services}


def outlives(manifest: Manifest) -> bool:
    """Whether an object stays where the platform goes: users' objects and data hang on it."""
    kinds = ("CustomResourceDefinition", "PersistentVolume", "PersistentVolumeClaim")
    of_users = manifest["kind"] == "Namespace" and manifest["metadata"]["name"] != SYSTEM
    return manifest["kind"] in kinds or of_users


def _namespace(name: str) -> Manifest:
    security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**security, **OURS}}}


def _rights(namespace: str) -> Iterable[Manifest]:
    for name, home, rights in (
        (OPERATOR, SYSTEM, rbac.OPERATOR),
        (GATEWAY, SYSTEM, rbac.GATEWAY),
        (PAGE, SYSTEM, rbac.PAGE),
        (SERVER, namespace, rbac.SERVER),
        (VECTORS_GATEWAY, SYSTEM, rbac.VECTORS_GATEWAY),
        (vectors.SERVER, namespace, rbac.VECTORS_SERVER),
    ):
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": home}}
        yield rbac.role(_role(name), namespace, rights)
        yield _binding("Role", name, namespace, home)
    yield rbac.cluster_role(_role(PAGE), rbac.PAGE_CLUSTER)
    yield _binding("ClusterRole", PAGE, None, SYSTEM)


def _role(account: str) -> str:
    return PREFIX + account.removeprefix(PREFIX)


def _binding(kind: str, account: str, namespace: str | None, home: str) -> Manifest:
    name = _role(account)
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": home}],
    }


def _claim(name: str, size: str, platform: Platform) -> Iterable[Manifest]:
    """A claim of users' data, and on a machine of ours the volume for it: a folder there.

    The claim `data` is had by several machines where there are several, for which Kubernetes has no access mode of its
    own: that of a claim can't be changed, and to the scheduler a local volume's means nothing.
    """
    access, storage = ["ReadWriteOnce"], {"storage": size}
    claim: Manifest = {"accessModes": access, "resources": {"requests": storage}}
    if platform.volumes is not None:
        claim["storageClassName"] = ""
        where = {"key": share.SEES if name == DATA else share.HOLDS, "operator": "Exists"}
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{platform.namespace}-{name}"},
            "spec": {
                "capacity": storage,
                "accessModes": access,
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                # Binds at once and to nothing else; a volumeName in the claim would take seconds.
                "claimRef": {"namespace": platform.namespace, "name": name},
                "local": {"path": f"{platform.volumes}/{name}"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [where]}]}},
            },
        }
    metadata = {"name": name, "namespace": platform.namespace}
    yield {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim}


def _operator(platform: Platform) -> Iterable[Manifest]:
    command = [
        "python", "-m", "operators.main",
        f"--namespace={platform.namespace}",
        f"--inference-gateway=http://{GATEWAY}.{SYSTEM}.svc",
        f"--inference-url={platform.gateway_url}",
        f"--vectors-gateway=http://{VECTORS_GATEWAY}.{SYSTEM}.svc",
        f"--vectors-url={platform.vectors_url}",
        *(f"--{name}-image={platform.images[name]}" for name in OPERATORS_IMAGES),
    ]  # fmt: skip
    yield _deployment(
        OPERATOR,
        platform.images["operator"],
        command,
        {"requests": {"cpu": "25m", "memory": "96Mi"}, "limits": {"memory": "384Mi"}},
        ready=None,  # nobody calls it
        replace=True,  # two operators would take turns undoing nothing, but would cost twice
    )


def _gateway(platform: Platform) -> Iterable[Manifest]:
    command = ["python", "-m", "workloads.inference.gateway", f"--namespace={platform.namespace}"]
    resources = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}
    yield _deployment(GATEWAY, platform.images["serving"], command, resources, ready="/readyz")
    yield _service(GATEWAY, None if platform.ingress else platform.gateway_port)


def _vectors_gateway(platform: Platform) -> Iterable[Manifest]:
    command = ["python", "-m", "workloads.vectors.gateway", f"--namespace={platform.namespace}"]
    resources = {"requests": {"cpu": "25m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
    yield _deployment(VECTORS_GATEWAY, platform.images["vectors"], command, resources, ready="/readyz")
    yield _service(VECTORS_GATEWAY, None if platform.ingress else platform.vectors_port)


def _page(platform: Platform) -> Iterable[Manifest]:
    command = [
        "python", "-m", "workloads.pages",
        f"--namespace={platform.namespace}",
        f"--inference-gateway=http://{GATEWAY}.{SYSTEM}.svc",
        f"--vectors-gateway=http://{VECTORS_GATEWAY}.{SYSTEM}.svc",
    ]  # fmt: skip
    resources = {"requests": {"cpu": "25m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    yield _deployment(PAGE, platform.images["serving"], command, resources, ready="/healthz")
    yield _service(PAGE, None if platform.ingress else platform.page_port)


def _service(name: str, node_port: int | None) -> Manifest:
    port: Manifest = {"name": "http", "port": 80, "targetPort": "http"}
    if node_port is not None:
        port["nodePort"] = node_port
    spec = {
        "type": "ClusterIP" if node_port is None else "NodePort",
        "selector": {"app.kubernetes.io/name": name},
        "ports": [port],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SYSTEM}, "spec": spec}


def _deployment(
    name: str,
    image: str,
    command: list[str],
    resources: dict[str, Any],
    *,
    ready: str | None,
    replace: bool = False,
) -> Manifest:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "pulumi"}
    container: dict[str, Any] = {
        "name": name,
        "image": image,
        "command": command,
        "ports": [{"name": "http", "containerPort": PORT}],
        "resources": resources,
        "securityContext": pods.CONTAINER_SECURITY,
        "env": [pods.HOME],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "startupProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 60},
        "volumeMounts": [pods.TMP_MOUNT],
    }
    if ready is not None:
        # A socket that is closed before the endpoint is gone refuses those who still come.
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": 3}}}
        container["readinessProbe"] = {"httpGet": {"path": ready, "port": "http"}, "periodSeconds": 2}
    pod = {
        "serviceAccountName": name,
        "enableServiceLinks": False,
        "affinity": pods.FIRST_SITE,
        "securityContext": pods.POD_SECURITY,
        "containers": [container],
        "volumes": [pods.TMP],
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"} if replace else pods.ROLLING,
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }  # fmt: skip
    metadata = {"name": name, "namespace": SYSTEM, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
