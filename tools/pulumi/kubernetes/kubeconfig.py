"""Whose API server, by which credentials: one context of a kubeconfig.

Source of the format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tools.pulumi.kubernetes.errors import KubeconfigError

UNSUPPORTED_USER: Final = ("exec", "auth-provider", "username", "as")
UNSUPPORTED_CLUSTER: Final = ("proxy-url", "tls-server-name")


@dataclass(frozen=True)
class Connection:
    """How to reach a cluster. Certificates and keys are PEM; they and the token are left out of the repr."""

    server: str
    namespace: str
    """Where objects go that name no namespace."""
    authority: bytes | None = field(default=None, repr=False)
    """The certificates to trust; None for those that the machine trusts."""
    verify: bool = True
    token: str | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)


def read(given: str, environment: Mapping[str, str]) -> tuple[str, Path]:
    """The text of a kubeconfig, and the folder that its relative paths start from.

    `given` is a path or the text itself; if it is empty, KUBECONFIG or ~/.kube/config is read.
    """
    if "\n" in given or given.lstrip().startswith("{"):
        return given, Path.cwd()
    path = Path(given or environment.get("KUBECONFIG") or "~/.kube/config").expanduser()
    try:
        return path.read_text(), path.parent.resolve()
    except OSError as error:
        raise KubeconfigError(f"kubeconfig {path}: expected a readable file, found: {error.strerror}") from error


def connection(text: str, folder: Path, context: str = "", cluster: str = "", namespace: str = "") -> Connection:
    """The connection that a kubeconfig describes; the other arguments override what it says. Raises KubeconfigError."""
    document = parse(text)
    wanted = context or document.get("current-context") or ""
    chosen = _named(document, "context", wanted)
    server = _named(document, "cluster", cluster or chosen.get("cluster", ""))
    user = _named(document, "user", chosen["user"]) if chosen.get("user") else {}
    for key in UNSUPPORTED_USER:
        if user.get(key):
            raise KubeconfigError(
                f"kubeconfig: user {chosen['user']}: {key} is not supported; use a token or a certificate"
            )
    for key in UNSUPPORTED_CLUSTER:
        if server.get(key):
            raise KubeconfigError(f"kubeconfig: cluster {chosen['cluster']}: {key} is not supported")
    if not server.get("server"):
        raise KubeconfigError(f"kubeconfig: cluster {chosen.get('cluster')}: expected a server, found none")
    return Connection(
        server=server["server"].rstrip("/"),
        namespace=namespace or chosen.get("namespace") or "default",
        authority=_content(server, "certificate-authority", folder),
        verify=not server.get("insecure-skip-tls-verify"),
        token=_token(user, folder),
        certificate=_content(user, "client-certificate", folder),
        key=_content(user, "client-key", folder),
    )


def active_cluster(text: str, context: str = "", cluster: str = "") -> dict[str, Any]:
    """What a kubeconfig says about the cluster that it selects: by this the official plugin tells clusters apart."""
    document = parse(text)
    chosen = _named(document, "context", context or document.get("current-context") or "")
    return _named(document, "cluster", cluster or chosen.get("cluster", ""))


def parse(text: str) -> dict[str, Any]:
    """A kubeconfig's document, YAML or JSON."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)  # not the error itself: it quotes the text, keys and all
        raise KubeconfigError(
            f"kubeconfig: expected YAML, found none at line {place.line + 1 if place else '?'}"
        ) from None
    if not isinstance(document, dict):
        raise KubeconfigError("kubeconfig: expected a document with clusters, users and contexts, found none")
    return document


def _named(document: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """The entry of this name in `clusters`, `users` or `contexts`."""
    entries = document.get(f"{kind}s") or []
    found = next((entry for entry in entries if entry.get("name") == name), None)
    if found is None:
        known = ", ".join(str(entry.get("name")) for entry in entries) or "none"
        raise KubeconfigError(f"kubeconfig: expected a {kind} {name!r}, found {known}")
    content: dict[str, Any] = found.get(kind) or {}
    return content


def _content(entry: dict[str, Any], key: str, folder: Path) -> bytes | None:
    """The data of `key`-data, else of the file that `key` names."""
    if entry.get(f"{key}-data"):
        try:
            return base64.b64decode(entry[f"{key}-data"], validate=True)
        except (binascii.Error, ValueError):
            raise KubeconfigError(f"kubeconfig: {key}-data: expected base64, found something else") from None
    return _file(folder / entry[key], key) if entry.get(key) else None


def _token(user: dict[str, Any], folder: Path) -> str | None:
    if user.get("token"):
        return str(user["token"])
    return _file(folder / user["tokenFile"], "tokenFile").decode().strip() if user.get("tokenFile") else None


def _file(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KubeconfigError(
            f"kubeconfig: {key}: {path}: expected a readable file, found: {error.strerror}"
        ) from error
