"""A server and a gateway that follow the API server, with the rights of their tables, found by an EndpointSlice.

That the slice names this machine's address is all that a test claims: no kubelet runs the pods that the operator
declares, so nobody else can say where they are.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.integration.parts.endpoints import publish
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.integration.parts.operator import GATEWAY
from tests.integration.parts.process import Process
from tests.integration.parts.serving import Server, Serving
from tools import minilm
from workloads.inference.config import AGENT_PORT_NAME, GRPC_PORT_NAME, SERVERS_SERVICE

SERVER_PORT: Final = 18101
GATEWAY_PORT: Final = int(GATEWAY.rsplit(":", 1)[1])
MEMORY_LIMIT: Final = 2 * 2**30


@dataclass(frozen=True)
class DataPlane:
    """The running parts; `claims` is what the server's pod would mount."""

    serving: Serving
    claims: Path

    @property
    def server(self) -> Server:
        return self.serving.server

    @property
    def parts(self) -> tuple[Process, ...]:
        return self.serving.gateway, self.server.agent, self.server.triton

    def ask(self, model_id: str, inputs: Any, **headers: str) -> tuple[int, Any]:
        """POST to the model: status and body."""
        answer = self.serving.ask(model_id, {"inputs": inputs}, headers=headers)
        return answer.status_code, answer.json()


def start(cluster: Cluster, folder: Path, address: str) -> DataPlane:
    claims = folder / "claims"
    minilm.write(claims / "models/minilm")
    follow = (f"--namespace={NAMESPACE}",)
    server = Server(
        folder / "server",
        claims,
        SERVER_PORT,
        address,
        (*follow, f"--memory-limit={MEMORY_LIMIT}"),
        {"KUBECONFIG": str(cluster.identity("inference-server"))},
    )
    gateway = {"KUBECONFIG": str(cluster.identity("gateway"))}
    serving = Serving(folder, [server], GATEWAY_PORT, follow, gateway)
    ports = {GRPC_PORT_NAME: server.port, AGENT_PORT_NAME: server.port + 2}
    publish(cluster, SERVERS_SERVICE, server.host, ports)
    serving.start()
    return DataPlane(serving, claims)
