"""The inference servers as a gateway sees them: who holds which revision, and asking one of them.

What each holds is what its agent says (`workloads.edge.agents`). A server whose agent does not answer keeps the
placements that it last had, and comes last.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from workloads.edge.agents import Agent, Agents
from workloads.edge.errors import EngineFailed, EngineTimeout
from workloads.edge.kept import Kept
from workloads.edge.servers import Server
from workloads.inference.config import AGENT_PORT_NAME, GRPC_PORT_NAME, Placement, State, parse_placements

CHANNEL: Final = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),  # the default, two minutes, would outlast a restart by far
]

log = logging.getLogger(__name__)


class Refused(Exception):
    """The engine gave no answer, or says that it can't; another one may."""


@dataclass(eq=False)
class Engine:
    """One server: its Triton and its agent."""

    server: Server
    client: InferenceServerClient
    in_flight: int = 0


class Fleet:
    """All servers of the Service."""

    def __init__(self, servers: Kept[tuple[Server, ...]]) -> None:
        self._servers = servers
        self._engines: dict[Server, Engine] = {}
        self._agents = Agents(servers, AGENT_PORT_NAME, parse_placements)
        self._changed = asyncio.Event()
        servers.listeners.append(self._changed.set)
        self.settled, self.placements = self._agents.settled, self._agents.placements

    async def run(self) -> None:
        """Follow the servers and their agents. Ends by cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._agents.run())
            group.create_task(self._connect())

    def holding(self, model: str, revision: str) -> list[Engine]:
        """The engines that hold a revision, the best to ask first."""
        agents = [(engine, self._agents.of(engine.server)) for engine in self._engines.values()]
        holding = [(engine, agent) for engine, agent in agents if _holds(agent, model, revision)]
        return [engine for engine, _ in sorted(holding, key=lambda pair: (not pair[1].reachable, pair[0].in_flight))]

    async def _connect(self) -> None:
        try:
            while True:
                self._changed.clear()
                wanted = {server for server in self._servers.value if server.address(GRPC_PORT_NAME)}
                for server in wanted - set(self._engines):
                    client = InferenceServerClient(server.address(GRPC_PORT_NAME), channel_args=CHANNEL)
                    self._engines[server] = Engine(server, client)
                for server in set(self._engines) - wanted:
                    await self._drop(self._engines.pop(server))
                await self._changed.wait()
        finally:
            for engine in self._engines.values():
                await self._drop(engine)

    async def _drop(self, engine: Engine) -> None:
        if not engine.in_flight:
            await engine.client.close()


def _holds(agent: Agent[Placement], model: str, revision: str) -> bool:
    return any(
        held.model == model and held.revision == revision and held.state is State.LOADED for held in agent.placements
    )


async def infer(
    engine: Engine, model: str, version: int, texts: tuple[str, ...], seconds: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Embeddings (n, d) and token counts (n, 2) of texts. Raises Refused, EngineTimeout and EngineFailed."""
    tensor = InferInput("TEXT", [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=np.object_))
    outputs = [InferRequestedOutput("EMBEDDING"), InferRequestedOutput("TOKENS")]
    engine.in_flight += 1
    try:
        result = await engine.client.infer(
            model, [tensor], model_version=str(version), outputs=outputs, client_timeout=seconds
        )
    except InferenceServerException as error:
        status = str(error.status())
        # Triton's own text names files and hosts: it goes to the log.
        log.warning(
            "engine failed",
            extra={"server": engine.server.host, "model": model, "status": status, "error": str(error.message())[:300]},
        )
        if "DEADLINE_EXCEEDED" in status:
            raise EngineTimeout(f"the engine gave no answer within {seconds:.0f} s") from error
        raise Refused(status) from error
    finally:
        engine.in_flight -= 1
    embeddings, tokens = _array(result, "EMBEDDING"), _array(result, "TOKENS")
    if embeddings.shape[:1] != (len(texts),) or tokens.shape != (len(texts), 2) or not np.isfinite(embeddings).all():
        raise EngineFailed("the engine answered what is no embedding of these texts")
    return embeddings, tokens


def _array(result: Any, name: str) -> npt.NDArray[Any]:
    array = result.as_numpy(name)
    if array is None:
        raise EngineFailed("the engine's answer lacks a part")
    return np.asarray(array)
