"""The data plane as processes: one server (Triton and its agent) and a gateway, found by an EndpointSlice.

That the slice names this machine's address is all that the test claims: no kubelet runs the pods that the operator
declares, so nobody else can say where they are.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.models import minilm
from tests.integration.parts.namespace import NAMESPACE
from tests.integration.parts.operator import GATEWAY
from tests.integration.parts.process import Process
from tools.environments import environment

GRPC_PORT: Final = 18001
HTTP_PORT: Final = 18000
AGENT_PORT: Final = 18091
GATEWAY_PORT: Final = int(GATEWAY.rsplit(":", 1)[1])


@dataclass
class Serving:
    """The running data plane; `claims` is what its pods would mount."""

    cluster: Cluster
    folder: Path
    address: str
    triton: Process
    agent: Process
    gateway: Process

    @property
    def claims(self) -> Path:
        return self.folder / "claims"

    def start_triton(self) -> None:
        self.triton = _triton(self.folder)

    def start_agent(self) -> None:
        self.agent = _agent(self.cluster, self.folder, self.address)

    def stub(self) -> int:
        """The process of Triton's Python backend; the model must be the only one."""
        found = subprocess.run(
            ["pgrep", "--parent", str(self.triton.pid), "--full", "triton_python_backend_stub"],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(found.stdout.split()[0])

    def ask(self, model_id: str, inputs: Any, **headers: str) -> tuple[int, Any]:
        """POST to the model: status and body."""
        request = urllib.request.Request(
            f"{GATEWAY}/models/{model_id}",
            data=json.dumps({"inputs": inputs}).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def stop(self) -> None:
        for part in (self.gateway, self.agent, self.triton):
            part.stop()


def start(cluster: Cluster, folder: Path, address: str) -> Serving:
    minilm(folder / "claims/models/minilm")
    serving = Serving(
        cluster,
        folder,
        address,
        _triton(folder),
        _agent(cluster, folder, address),
        _gateway(cluster, folder),
    )
    _publish(cluster, address)
    return serving


def _publish(cluster: Cluster, address: str) -> None:
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "test-servers",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": "inference-servers"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "grpc", "port": GRPC_PORT}, {"name": "agent", "port": AGENT_PORT}],
    }
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(slice_))


def _environment(kubeconfig: Path) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(kubeconfig)}


def _triton(folder: Path) -> Process:
    return Process(
        [
            environment("triton") / "bin/python", "-m", "workloads.inference.server",
            f"--repository={folder}/repository/models",
            f"--grpc-port={GRPC_PORT}",
            f"--http-port={HTTP_PORT}",
        ],
        folder / "triton.log",
    )  # fmt: skip


def _agent(cluster: Cluster, folder: Path, address: str) -> Process:
    return Process(
        [
            environment("serving") / "bin/python", "-m", "workloads.inference.agent",
            f"--host={address}",
            f"--port={AGENT_PORT}",
            f"--root={folder}/repository",
            f"--claims={folder}/claims",
            f"--state={folder}/agent",
            f"--triton=http://127.0.0.1:{HTTP_PORT}",
            f"--namespace={NAMESPACE}",
            f"--memory-limit={2 * 2**30}",
        ],
        folder / "agent.log",
        _environment(cluster.identity("inference-server")),
    )  # fmt: skip


def _gateway(cluster: Cluster, folder: Path) -> Process:
    process = Process(
        [
            environment("serving") / "bin/python", "-m", "workloads.inference.gateway",
            "--host=127.0.0.1",
            f"--port={GATEWAY_PORT}",
            f"--state={folder}/gateway",
            f"--namespace={NAMESPACE}",
        ],
        folder / "gateway.log",
        _environment(cluster.identity("gateway")),
    )  # fmt: skip
    process.until("/healthz", lambda: _answers(f"{GATEWAY}/healthz"))
    return process


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
