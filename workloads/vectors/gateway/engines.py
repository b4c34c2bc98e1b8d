"""Which Milvus holds a collection: a connection to each that is needed, made and kept beside the requests."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

import grpc
from pymilvus import AsyncMilvusClient, MilvusException

from workloads.edge.agents import Agents
from workloads.edge.errors import NotReady
from workloads.edge.kept import Kept
from workloads.edge.servers import Server
from workloads.vectors.config import AGENT_PORT_NAME, ENGINE_PORT_NAME, Collection, Config, parse_placements

RETRY_SECONDS: Final = 0.5
CHANNEL: Final = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,  # the default, two minutes, would outlast a restart by far
}

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Engine:
    """One Milvus."""

    address: str
    client: AsyncMilvusClient | None = None
    """None until it has answered once; from then on the client connects again by itself."""
    noted: set[tuple[str, str]] = field(default_factory=set)
    """(collection, namespace) that are known to be in its list of namespaces."""


class Engines:
    """All that the configuration names, and the namespace's own."""

    def __init__(self, config: Kept[Config], servers: Kept[tuple[Server, ...]]) -> None:
        self._config, self._servers = config, servers
        self._engines: dict[str, Engine] = {}
        self._agents = Agents(servers, AGENT_PORT_NAME, parse_placements)
        self._changed = asyncio.Event()
        self.placements = self._agents.placements
        for kept in (config, servers):
            kept.listeners.append(self._changed.set)

    async def run(self) -> None:
        """Follow configuration, servers and agents. Ends by cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._agents.run())
            group.create_task(self._connect())

    def of(self, collection: Collection) -> Engine:
        """The engine of a collection, connected. Raises NotReady."""
        engine = self._engines.get(self._address(collection))
        if engine is None or engine.client is None:
            raise NotReady("the engine is not there yet: ask again", 1.0)
        return engine

    def _address(self, collection: Collection) -> str:
        if collection.address:
            return collection.address
        own = [address for server in self._servers.value if (address := server.address(ENGINE_PORT_NAME))]
        return f"http://{own[0]}" if own else ""

    async def _connect(self) -> None:
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self._changed.clear()
                collections = self._config.value.collections
                wanted = {address for collection in collections if (address := self._address(collection))}
                for address in wanted - set(tasks):
                    engine = self._engines[address] = Engine(address)
                    tasks[address] = asyncio.create_task(_connect(engine))
                for address in set(tasks) - wanted:
                    tasks.pop(address).cancel()
                    await _close(self._engines.pop(address))
                names = {collection.name for collection in collections}
                for engine in self._engines.values():
                    engine.noted = {entry for entry in engine.noted if entry[0] in names}
                await self._changed.wait()
        finally:
            for task in tasks.values():
                task.cancel()
            for engine in self._engines.values():
                await _close(engine)


async def _connect(engine: Engine) -> None:
    """The first connection: until it stands, the client would let each request wait for it."""
    while True:
        client = AsyncMilvusClient(engine.address, dedicated=True, grpc_options=CHANNEL)
        try:
            await client.get_server_version(timeout=5.0)
        except (MilvusException, grpc.RpcError, OSError) as error:
            log.warning("engine not there", extra={"engine": engine.address, "error": type(error).__name__})
            await client.close()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            engine.client = client
            return


async def _close(engine: Engine) -> None:
    if engine.client is not None:
        await engine.client.close()
