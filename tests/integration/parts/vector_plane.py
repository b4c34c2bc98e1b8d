"""Milvus, its agent and a gateway that follow the API server, with the rights of their tables.

As in `data_plane`, that an EndpointSlice names this machine's address is all that a test claims.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.integration.parts.endpoints import publish
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.milvus import Milvus
from tests.integration.parts.namespace import NAMESPACE
from tests.integration.parts.operator import VECTORS_GATEWAY
from tests.integration.parts.process import Process
from tests.integration.parts.serving import ROOT
from tests.waiting import answers
from tools.environments import environment
from workloads.vectors.config import AGENT_PORT_NAME, ENGINE_PORT_NAME, SERVERS_SERVICE
from workloads.vectors.engine import PORT

AGENT_PORT: Final = 18391
GATEWAY_PORT: Final = int(VECTORS_GATEWAY.rsplit(":", 1)[1])


@dataclass
class VectorPlane:
    """The running parts."""

    cluster: Cluster
    folder: Path
    address: str
    milvus: Milvus = field(init=False)
    agent: Process = field(init=False)
    gateway: Process = field(init=False)

    def start(self) -> None:
        self.milvus = Milvus(self.folder / "milvus")
        self.milvus.start()
        self.agent = self._program("agent", "vector-server", AGENT_PORT, f"--host={self.address}")
        self.gateway = self._program("gateway", "vectors-gateway", GATEWAY_PORT, "--host=127.0.0.1")
        publish(self.cluster, SERVERS_SERVICE, self.address, {ENGINE_PORT_NAME: PORT, AGENT_PORT_NAME: AGENT_PORT})
        self.gateway.until("/healthz", lambda: answers(f"{VECTORS_GATEWAY}/healthz"))

    def stop(self) -> None:
        self.gateway.stop()
        self.agent.stop()
        self.milvus.kill()

    def post(self, collection: str, path: str, body: Any, key: str = "") -> httpx2.Response:
        """POST to a collection, with an API key if there is one."""
        headers = {"Api-Key": key} if key else {}
        return httpx2.post(f"{VECTORS_GATEWAY}/v/{collection}{path}", json=body, headers=headers, timeout=40)

    def _program(self, name: str, identity: str, port: int, *arguments: str) -> Process:
        kept = {variable: value for variable, value in os.environ.items() if variable in ("PATH", "HOMESPUN_CACHE")}
        return Process(
            [environment("vectors") / "bin/python", "-m", f"workloads.vectors.{name}", f"--port={port}",
             f"--namespace={NAMESPACE}", f"--state={self.folder / name}", *arguments],
            self.folder / f"{name}.log",
            {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.folder),
             "KUBECONFIG": str(self.cluster.identity(identity))},
        )  # fmt: skip
