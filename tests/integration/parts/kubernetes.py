"""A real control plane without nodes: etcd, kube-apiserver and kube-controller-manager, with client certificates."""

import base64
import json
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.integration.parts.process import Process
from tools.obtain import obtain
from tools.table import named

HOST: Final = "127.0.0.1"
API_PORT: Final = 16443
ETCD_PORT: Final = 12379
SERVICE_RANGE: Final = "10.43.0.0/16"


@dataclass
class Cluster:
    """A running control plane. `kubeconfig` is the admin's, by client certificate."""

    folder: Path
    etcd: Process
    api_server: Process
    controller_manager: Process

    @property
    def url(self) -> str:
        return f"https://{HOST}:{API_PORT}"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON line a request: who, verb, resource; nothing of its content."""
        return self.folder / "audit.log"

    @property
    def kubectl_command(self) -> list[str]:
        return [str(command("kubectl")), f"--kubeconfig={self.kubeconfig}"]

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        """What kubectl prints; an AssertionError with what it complains of, if it fails."""
        ran = subprocess.run(
            [*self.kubectl_command, *arguments],
            capture_output=True,
            text=True,
            input=input,
            timeout=60,
        )
        assert ran.returncode == 0, f"kubectl {' '.join(arguments)}: {ran.stderr}"
        return ran.stdout

    def serves(self, path: str) -> bool:
        """Whether the API has anything under `path`."""
        return _get(self.folder, f"{self.url}/{path}") is not None

    def items(self, path: str, labels: str = "") -> list[dict[str, Any]]:
        """What the API lists under `path`, each with its kind, as its administrator sees it; no kubectl starts."""
        selector = f"?labelSelector={quote(labels)}" if labels else ""
        found = _get(self.folder, f"{self.url}/{path}{selector}")
        assert found is not None, f"{path}: expected an answer of the API server, got none"
        listed = json.loads(found)
        return [{"kind": listed["kind"].removesuffix("List"), **item} for item in listed["items"]]

    def stop_api_server(self) -> None:
        """At once, as if its machine had lost power: by itself it takes some 10 s."""
        self.api_server.kill()

    def start_api_server(self) -> None:
        self.api_server = _start_api_server(self.folder)

    def identity(self, user: str, *groups: str) -> Path:
        """A kubeconfig for a user of our own making, with no rights but those that RBAC gives it."""
        return _kubeconfig(self.folder, user, groups)

    def stop(self) -> None:
        for part in (self.controller_manager, self.api_server, self.etcd):
            part.kill()


def start(folder: Path) -> Cluster:
    """Bring it up in an empty folder; answers when the API server is ready and has its default namespace."""
    _certificates(folder)
    etcd = Process(
        [
            command("etcd"),
            f"--data-dir={folder}/etcd",
            f"--listen-client-urls=http://{HOST}:{ETCD_PORT}",
            f"--advertise-client-urls=http://{HOST}:{ETCD_PORT}",
            f"--listen-peer-urls=http://{HOST}:{ETCD_PORT + 1}",
            f"--initial-advertise-peer-urls=http://{HOST}:{ETCD_PORT + 1}",
            f"--initial-cluster=default=http://{HOST}:{ETCD_PORT + 1}",
            "--unsafe-no-fsync",  # a test's data need not survive a power cut
        ],
        folder / "etcd.log",
    )
    api_server = _start_api_server(folder)
    controller_manager = Process(
        [
            command("kube-controller-manager"),
            f"--kubeconfig={_kubeconfig(folder, 'system:kube-controller-manager', ())}",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={folder}/sa.key",
            f"--root-ca-file={folder}/ca.crt",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ],
        folder / "kube-controller-manager.log",
    )
    cluster = Cluster(folder, etcd, api_server, controller_manager)
    _kubeconfig(folder, "admin", ("system:masters",))
    token_ready = f"{cluster.url}/api/v1/namespaces/default/serviceaccounts/default"
    controller_manager.until("the default service account", lambda: _get(folder, token_ready) is not None)
    return cluster


def command(name: str) -> Path:
    """A command of the tools table, there already: `make tools` obtained it."""
    return obtain(named(name), lambda what, percent: None)


def _start_api_server(folder: Path) -> Process:
    (folder / "audit.yaml").write_text(
        json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]})
    )
    process = Process(
        [
            command("kube-apiserver"),
            f"--etcd-servers=http://{HOST}:{ETCD_PORT}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            "--endpoint-reconciler-type=none",  # loopback may not be an endpoint
            f"--secure-port={API_PORT}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            f"--tls-cert-file={folder}/server.crt",
            f"--tls-private-key-file={folder}/server.key",
            f"--client-ca-file={folder}/ca.crt",
            f"--service-account-key-file={folder}/sa.key",
            f"--service-account-signing-key-file={folder}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=RBAC",
            f"--audit-policy-file={folder}/audit.yaml",
            f"--audit-log-path={folder}/audit.log",
        ],
        folder / "kube-apiserver.log",
    )
    process.until("/readyz", lambda: _get(folder, f"https://{HOST}:{API_PORT}/readyz") == b"ok")
    return process


def _get(folder: Path, url: str) -> bytes | None:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    if not (folder / "admin.crt").exists():
        _certificate(folder, "admin", "/O=system:masters/CN=admin")
    context.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            content: bytes = answer.read()
            return content
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def _certificates(folder: Path) -> None:
    _openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", f"{folder}/ca.key")
    _openssl("req", "-x509", "-new", "-key", f"{folder}/ca.key", "-subj", "/CN=test-ca", "-days", "2", "-out",
             f"{folder}/ca.crt")  # fmt: skip
    _openssl("genrsa", "-out", f"{folder}/sa.key", "2048")
    names = f"subjectAltName=IP:{HOST},DNS:kubernetes.default.svc"
    _certificate(folder, "server", "/CN=kube-apiserver", names)


def _certificate(folder: Path, name: str, subject: str, extension: str = "extendedKeyUsage=clientAuth") -> None:
    """`name`.key and `name`.crt, signed by the folder's CA."""
    (folder / f"{name}.ext").write_text(extension)
    _openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", f"{folder}/{name}.key")
    _openssl("req", "-new", "-key", f"{folder}/{name}.key", "-subj", subject, "-out", f"{folder}/{name}.csr")
    _openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key",
             "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/{name}.ext", "-out",
             f"{folder}/{name}.crt")  # fmt: skip


def _kubeconfig(folder: Path, user: str, groups: tuple[str, ...]) -> Path:
    name = user.replace(":", "-")
    path = folder / f"{name}.kubeconfig"
    if path.exists():
        return path
    if not (folder / f"{name}.crt").exists():
        _certificate(folder, name, "".join(f"/O={group}" for group in groups) + f"/CN={user}")

    def inline(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    cluster = {"server": f"https://{HOST}:{API_PORT}", "certificate-authority-data": inline("ca.crt")}
    credentials = {"client-certificate-data": inline(f"{name}.crt"), "client-key-data": inline(f"{name}.key")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "current-context": "test",
    }
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
