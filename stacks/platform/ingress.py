"""The ingress: one way in by TLS, under names, before the gateways, the page and services of one's own. A Caddy.

Its certificates are signed by an authority of the environment's own (`stacks.platform.authority`), which clients are
told to trust for these names and no others. Caddy's JSON: https://caddyserver.com/docs/json/
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from operators import children, pods
from operators.children import Manifest

NAME: Final = "ingress"
AUTHORITY: Final = "ingress-authority"
"""The Secret that holds it."""
PORT: Final = 8443
HEALTH_PORT: Final = 8080
CONFIG: Final = "/etc/caddy"
AUTHORITY_FOLDER: Final = "/authority"
STORAGE: Final = "/tmp/caddy"
"""Certificates, which are made anew with the pod."""
HEADERS_SECONDS: Final = 10
"""For a request's headers to come whole."""
REQUEST_SECONDS: Final = 300
"""For all of a request to come; an answer may take as long as it takes."""
IDLE_SECONDS: Final = 120
HEADERS_BYTES: Final = 16 << 10


@dataclass(frozen=True)
class Ingress:
    """What it is in front of."""

    domain: str
    """What all names end with."""
    port: int
    """The node port."""
    upstreams: Mapping[str, str]
    """The first part of each name → host and port of a Service."""

    def url(self, name: str) -> str:
        """Where clients reach an upstream."""
        return f"https://{name}.{self.domain}:{self.port}"


def manifests(ingress: Ingress, namespace: str, image: str, authority: str) -> Iterable[Manifest]:
    """All objects but the authority's Secret, in an order in which each finds what it needs.

    Another `authority`, its certificate, is another pod, as is another configuration: it reads both when it starts.
    """
    text = json.dumps(config(ingress), indent=1, sort_keys=True)
    yield children.config_map(namespace, NAME, {"caddy.json": text})
    yield _deployment(namespace, image, hashlib.sha256(f"{text}{authority}".encode()).hexdigest()[:12])
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "type": "NodePort",
            "selector": {"app.kubernetes.io/name": NAME},
            "ports": [{"name": "https", "port": 443, "targetPort": "https", "nodePort": ingress.port}],
        },
    }


def config(ingress: Ingress) -> dict[str, Any]:
    """What Caddy is told."""
    names = [f"{name}.{ingress.domain}" for name in ingress.upstreams]
    unknown = f"expected one of {', '.join(names)}, got {{http.request.host}}\n"
    routes = [
        {"match": [{"host": [f"{name}.{ingress.domain}"]}], "handle": [_proxy(upstream)], "terminal": True}
        for name, upstream in ingress.upstreams.items()
    ]
    ways = {
        "listen": [f":{PORT}"],
        "protocols": ["h1", "h2"],
        "read_header_timeout": f"{HEADERS_SECONDS}s",
        "read_timeout": f"{REQUEST_SECONDS}s",
        "idle_timeout": f"{IDLE_SECONDS}s",
        "max_header_bytes": HEADERS_BYTES,
        "automatic_https": {"disable_redirects": True},
        "routes": [*routes, {"handle": [{"handler": "static_response", "status_code": 404, "body": unknown}]}],
    }
    health = {
        "listen": [f":{HEALTH_PORT}"],
        "automatic_https": {"disable": True},
        "routes": [{"handle": [{"handler": "static_response", "status_code": 200}]}],
    }
    root = {"certificate": f"{AUTHORITY_FOLDER}/tls.crt", "private_key": f"{AUTHORITY_FOLDER}/tls.key"}
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "storage": {"module": "file_system", "root": STORAGE},
        "apps": {
            "http": {"servers": {"names": ways, "health": health}},
            "pki": {"certificate_authorities": {"local": {"root": root, "install_trust": False}}},
            "tls": {"automation": {"policies": [{"issuers": [{"module": "internal"}]}]}},
        },
    }


def _proxy(upstream: str) -> dict[str, Any]:
    # What an upstream streams is passed on as it comes.
    return {"handler": "reverse_proxy", "upstreams": [{"dial": upstream}], "flush_interval": -1}


def _deployment(namespace: str, image: str, digest: str) -> Manifest:
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "pulumi"}
    probe = {"httpGet": {"path": "/", "port": "health"}}
    container = {
        "name": NAME,
        "image": image,
        "command": ["/caddy", "run", "--config", f"{CONFIG}/caddy.json"],
        "ports": [{"name": "https", "containerPort": PORT}, {"name": "health", "containerPort": HEALTH_PORT}],
        "resources": {"requests": {"cpu": "25m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": pods.CONTAINER_SECURITY,
        "env": [pods.HOME],
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        "readinessProbe": {**probe, "periodSeconds": 2},
        "livenessProbe": {**probe, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3},
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "volumeMounts": [
            pods.TMP_MOUNT,
            {"name": "config", "mountPath": CONFIG, "readOnly": True},
            {"name": "authority", "mountPath": AUTHORITY_FOLDER, "readOnly": True},
        ],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "affinity": pods.FIRST_SITE,
        "securityContext": pods.POD_SECURITY,
        "containers": [container],
        "volumes": [
            pods.TMP,
            {"name": "config", "configMap": {"name": NAME}},
            {"name": "authority", "secret": {"secretName": AUTHORITY, "defaultMode": 0o440}},
        ],
    }
    return children.deployment(namespace, NAME, labels, pods.ROLLING, pod, {"homespun.dev/read": digest})
