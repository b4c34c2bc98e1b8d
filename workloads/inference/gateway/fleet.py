"""The inference servers as a gateway sees them: who holds which revision, and asking one of them.

Each agent is asked for its state by a long poll, so a load, a switch or a dead process is known here at once. A
server whose agent does not answer keeps the placements that it last had, and comes last.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx2
import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from workloads.edge.document import ConfigError
from workloads.edge.errors import EngineFailed, EngineTimeout
from workloads.edge.kept import Kept
from workloads.edge.servers import Server
from workloads.inference.config import AGENT_PORT_NAME, GRPC_PORT_NAME, Placement, State, parse_placements

POLL_SECONDS: Final = 20
"""How long an agent may hold an answer without news."""
RETRY_SECONDS: Final = 0.5
SETTLE_SECONDS: Final = 2.0
"""How long the first requests wait for the agents' first answers."""
REPORTED_SECONDS: Final = 5.0
"""An agent that has not answered for so long is no longer quoted to the operator."""
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
    placements: tuple[Placement, ...] = ()
    answered: float = -REPORTED_SECONDS
    """When the agent last answered (monotonic seconds)."""
    reachable: bool = False
    in_flight: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after the first look at the agent, whatever came of it."""
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def holds(self, model: str, revision: str) -> bool:
        """Whether it can be asked for this revision."""
        return any(
            held.model == model and held.revision == revision and held.state is State.LOADED for held in self.placements
        )


class Fleet:
    """All servers of the Service."""

    def __init__(self, servers: Kept[tuple[Server, ...]]) -> None:
        self._servers = servers
        self._engines: dict[Server, Engine] = {}
        self._http = httpx2.AsyncClient(trust_env=False, timeout=httpx2.Timeout(5.0, read=POLL_SECONDS + 5.0))
        self._changed = asyncio.Event()
        servers.listeners.append(self._changed.set)

    async def run(self) -> None:
        """Follow the servers. Ends by cancellation."""
        try:
            while True:
                self._changed.clear()
                wanted = {server for server in self._servers.value if server.address(GRPC_PORT_NAME)}
                for server in wanted - set(self._engines):
                    client = InferenceServerClient(server.address(GRPC_PORT_NAME), channel_args=CHANNEL)
                    engine = self._engines[server] = Engine(server, client)
                    engine.task = asyncio.create_task(self._follow(engine))
                for server in set(self._engines) - wanted:
                    await self._drop(self._engines.pop(server))
                await self._changed.wait()
        finally:
            for engine in self._engines.values():
                await self._drop(engine)
            await self._http.aclose()

    async def settled(self) -> None:
        """Wait until each agent was asked once: a gateway that has just started does not say that nothing is loaded."""
        if all(engine.asked.is_set() for engine in self._engines.values()):
            return
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await asyncio.gather(*(engine.asked.wait() for engine in self._engines.values()))
        except TimeoutError:
            pass

    def holding(self, model: str, revision: str) -> list[Engine]:
        """The engines that hold a revision, the best to ask first."""
        engines = [engine for engine in self._engines.values() if engine.holds(model, revision)]
        return sorted(engines, key=lambda engine: (not engine.reachable, engine.in_flight))

    def placements(self) -> tuple[Placement, ...]:
        """What all agents that answer report, with their addresses filled in."""
        now = time.monotonic()
        return tuple(
            replace(placement, server=engine.server.address(AGENT_PORT_NAME))
            for server, engine in sorted(self._engines.items())
            if engine.reachable or now - engine.answered < REPORTED_SECONDS
            for placement in engine.placements
        )

    async def _follow(self, engine: Engine) -> None:
        url = f"http://{engine.server.address(AGENT_PORT_NAME)}/state"
        etag = ""
        while True:
            # A first look after a silence must not wait for news.
            headers = {"if-none-match": etag, "prefer": f"wait={POLL_SECONDS}"} if engine.reachable else {}
            try:
                answer = await self._http.get(url, headers=headers)
                if answer.status_code == 200:
                    engine.placements = parse_placements(answer.text)
                    etag = answer.headers.get("etag", "")
                engine.reachable, engine.answered = answer.status_code in (200, 304), time.monotonic()
            except (httpx2.HTTPError, ConfigError) as error:
                if engine.reachable:
                    log.warning("agent lost", extra={"server": engine.server.host, "error": type(error).__name__})
                    engine.answered = time.monotonic()
                engine.reachable = False
            engine.asked.set()
            if not engine.reachable:
                await asyncio.sleep(RETRY_SECONDS)

    async def _drop(self, engine: Engine) -> None:
        if engine.task:
            engine.task.cancel()
        if not engine.in_flight:
            await engine.client.close()


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
