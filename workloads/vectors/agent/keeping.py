"""Keeping the declared collections in their engines: made, loaded, and again when an engine comes back without them."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import grpc
from pymilvus import AsyncMilvusClient
from pymilvus.exceptions import MilvusException

from workloads.edge.kept import Kept
from workloads.edge.published import Published
from workloads.vectors import layout, schema
from workloads.vectors.config import PROBE_NAMESPACE, Collection, Config, Failure, Placement, State

PERIOD_SECONDS: Final = 2.0
"""Between two looks. A look that finds all as it ought to be costs 10 ms."""
REACH_SECONDS: Final = 5.0
FAILURES: Final = (MilvusException, grpc.RpcError, OSError)
"""pymilvus hands some of gRPC's on as they are: of an engine that wants a login, or is none."""
MAKE_SECONDS: Final = 120.0
"""A collection is made and loaded in some 6 s; one with many rows takes longer to load."""

log = logging.getLogger(__name__)


class Agent:
    """What an agent knows. One event loop; nothing here is called from another thread."""

    def __init__(self, config: Kept[Config], engine: str) -> None:
        """`engine` is the namespace's own, http://host:port."""
        self._config, self._engine = config, engine
        self.placements: Published[tuple[Placement, ...]] = Published(())
        self._clients: dict[str, AsyncMilvusClient] = {}
        self._current: dict[str, Placement] = {}
        self._kept: dict[str, Collection] = {}
        """By name, the declaration that its placement speaks of."""
        self._wake = asyncio.Event()
        config.listeners.append(self._wake.set)

    async def run(self) -> None:
        """Follow the configuration. Ends by cancellation."""
        while True:
            self._wake.clear()
            collections = self._config.value.collections
            self._forget(collections)
            by_engine: dict[str, list[Collection]] = {}
            for collection in collections:
                by_engine.setdefault(collection.address or self._engine, []).append(collection)
            await asyncio.gather(*(self._keep(address, wanted) for address, wanted in by_engine.items()))
            for address in set(self._clients) - set(by_engine):
                await self._drop(address)
            try:
                async with asyncio.timeout(PERIOD_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _forget(self, collections: tuple[Collection, ...]) -> None:
        names = {collection.name for collection in collections}
        for name in set(self._current) - names:
            del self._current[name]
            self._kept.pop(name, None)

    async def _keep(self, address: str, wanted: list[Collection]) -> None:
        """See to the collections of one engine, one after another."""
        try:
            client = await self._reach(address)
        except (*FAILURES, TimeoutError):
            await self._drop(address)
            for collection in wanted:
                began = collection.name not in self._current or self._current[collection.name].state is State.PENDING
                await self._say(collection, _away(collection, began))
            return
        for collection in wanted:
            await self._say(collection, await self._made(client, collection))

    async def _reach(self, address: str) -> AsyncMilvusClient:
        if address not in self._clients:
            self._clients[address] = AsyncMilvusClient(address, dedicated=True)
        async with asyncio.timeout(REACH_SECONDS):
            await self._clients[address].get_server_version()
        return self._clients[address]

    async def _drop(self, address: str) -> None:
        """A new connection finds a server that came back at once; an old one may wait for two minutes."""
        client = self._clients.pop(address, None)
        if client:
            try:
                await client.close()
            except FAILURES as error:
                log.debug("close", extra={"error": str(error)})

    async def _made(self, client: AsyncMilvusClient, collection: Collection) -> Placement:
        before = self._current.get(collection.name)
        known = self._kept.get(collection.name)
        if before is None or before.state is not State.LOADED or known is None or known.schema != collection.schema:
            await self._say(collection, Placement(collection.name, State.CREATING))
        try:
            async with asyncio.timeout(MAKE_SECONDS):
                await schema.ensure_registry(client)
                differs = await schema.ensure(client, collection)
                rows = 0 if differs else await _rows(client, collection)
        except TimeoutError:
            return _failed(collection, f"the engine did not make it within {MAKE_SECONDS:.0f} s")
        except FAILURES as error:
            return _failed(collection, f"the engine refuses: {' '.join(str(error).split())[:300]}")
        if differs:
            return Placement(collection.name, State.FAILED, Failure.SCHEMA_MISMATCH, differs)
        loads = before.loads if before else 0
        again = before is None or before.state is not State.LOADED
        return Placement(collection.name, State.LOADED, rows=rows, loads=loads + again)

    async def _say(self, collection: Collection, placement: Placement) -> None:
        before = self._current.get(collection.name)
        loads = max(placement.loads, before.loads if before else 0)
        self._current[collection.name] = _with(placement, loads)
        self._kept[collection.name] = collection
        await self.placements.publish(_sorted(self._current))


async def _rows(client: AsyncMilvusClient, collection: Collection) -> int:
    others = f'{layout.NAMESPACE} != "{PROBE_NAMESPACE}"'
    found = await client.query(layout.alias(collection.name), filter=others, output_fields=["count(*)"])
    return int(found[0]["count(*)"])


def _away(collection: Collection, began: bool) -> Placement:
    where = collection.address or "the namespace's own"
    if began and not collection.address:
        return Placement(collection.name, State.PENDING, message="waiting for the engine to start")
    message = f"Milvus ({where}) does not answer; nothing is lost by that"
    return Placement(collection.name, State.FAILED, Failure.ENGINE_UNREACHABLE, message)


def _failed(collection: Collection, message: str) -> Placement:
    return Placement(collection.name, State.FAILED, Failure.CREATE_FAILED, message)


def _with(placement: Placement, loads: int) -> Placement:
    return Placement(placement.collection, placement.state, placement.reason, placement.message, placement.rows, loads)


def _sorted(placements: Mapping[str, Placement]) -> tuple[Placement, ...]:
    return tuple(placements[name] for name in sorted(placements))
