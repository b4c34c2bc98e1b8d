"""One collection as it is read and written: the calls of Milvus's client that the gateway makes, and no others.

Everything is in the partition of its namespace. What fails becomes an error of the gateway at one place, `_failures`;
Milvus's own words can hold what was asked, so they go neither to the client nor into the log.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from weakref import WeakValueDictionary

import grpc
import numpy as np
from pymilvus import AsyncMilvusClient, MilvusException

from workloads.edge.errors import EngineTimeout, NotReady
from workloads.vectors import filters, layout
from workloads.vectors.config import Collection
from workloads.vectors.filters import Columns, Filter
from workloads.vectors.gateway.records import Floats, Record, to_row

ANSWER_SECONDS: Final = 20.0
"""Within which one call is answered."""
PAGE: Final = 1000
"""Rows that an update by filter changes at a time."""
PLAIN: Final = {"retry_times": 0}
"""The client's own patience would keep a caller waiting for minutes; ours is told to come again."""
ROW: Final = [layout.ID, layout.VECTOR, layout.METADATA]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Match:
    """One answer of a search."""

    id: str
    score: float
    values: list[float] | None
    metadata: dict[str, Any] | None


@dataclass(frozen=True)
class Store:
    """A collection in its engine."""

    client: AsyncMilvusClient
    collection: Collection

    @cached_property
    def alias(self) -> str:
        """What is read and written."""
        return layout.alias(self.collection.name)

    @cached_property
    def columns(self) -> Columns:
        """Where the fields are."""
        return Columns({field.name: field.type for field in self.collection.fields})

    async def search(
        self, namespace: str, vector: Floats, top_k: int, wanted: Filter | None, values: bool, metadata: bool
    ) -> list[Match]:
        """The nearest vectors, the nearest first."""
        ef = self.collection.ef if wanted is None else self.collection.filtered_ef
        fields = [layout.ID, *([layout.VECTOR] if values else []), *([layout.METADATA] if metadata else [])]
        async with _failures(self.alias):
            found = await self.client.search(
                self.alias,
                [vector],
                filter=self._within(namespace, wanted),
                limit=top_k,
                output_fields=fields,
                search_params={"params": {"ef": max(ef, top_k)}},
                anns_field=layout.VECTOR,
                partition_names=[layout.partition(namespace)],
                **PLAIN,
            )
        return [_match(hit) for hit in found[0]]

    async def get(self, namespace: str, ids: Iterable[str], strong: bool = False) -> list[Record]:
        """The vectors of these ids, as far as there are any."""
        keys = ", ".join(filters.literal(layout.key(namespace, id_)) for id_ in ids)
        level = {"consistency_level": "Strong"} if strong else {}
        async with _failures(self.alias):
            rows = await self.client.query(
                self.alias,
                filter=f"{layout.PK} in [{keys}]",
                output_fields=ROW,
                partition_names=[layout.partition(namespace)],
                **level,
                **PLAIN,
            )
        return [_record(row) for row in rows]

    async def find(
        self, namespace: str, wanted: Filter | None, limit: int, after: str = "", strong: bool = False
    ) -> list[Record]:
        """Vectors that a filter finds, in the order of their ids, from the one after `after` on."""
        level = {"consistency_level": "Strong"} if strong else {}
        async with _failures(self.alias):
            rows = await self.client.query(
                self.alias,
                filter=f"({layout.PK} > {_key(namespace, after)}) and {self._within(namespace, wanted)}",
                limit=limit,
                output_fields=ROW,
                partition_names=[layout.partition(namespace)],
                **level,
                **PLAIN,
            )
        return [_record(row) for row in rows]

    async def ids(self, namespace: str, prefix: str, limit: int, after: str) -> list[str]:
        """Ids that begin with a prefix, in order, from the one after `after` on, with all that was acknowledged before.

        Who compares what is there with what ought to be, such as an ingestion, must not be shown what was just deleted.
        Ids are ASCII, so all that begin with a prefix come before the prefix and U+0080.
        """
        first = f"{layout.PK} > {_key(namespace, after)}" if after else f"{layout.PK} >= {_key(namespace, prefix)}"
        async with _failures(self.alias):
            rows = await self.client.query(
                self.alias,
                filter=f"({first}) and ({layout.PK} >= {_key(namespace, prefix)})"
                f" and ({layout.PK} < {_key(namespace, prefix + chr(0x80))})",
                limit=limit,
                output_fields=[layout.ID],
                partition_names=[layout.partition(namespace)],
                consistency_level="Strong",
                **PLAIN,
            )
        return [row[layout.ID] for row in rows]

    async def count(self, namespace: str, wanted: Filter | None = None, strong: bool = False) -> int:
        """How many vectors there are."""
        level = {"consistency_level": "Strong"} if strong else {}
        async with _failures(self.alias):
            rows = await self.client.query(
                self.alias,
                filter=self._within(namespace, wanted),
                output_fields=["count(*)"],
                partition_names=[layout.partition(namespace)],
                **level,
                **PLAIN,
            )
        return int(rows[0]["count(*)"])

    async def put(self, namespace: str, records: Iterable[Record]) -> None:
        """Write vectors, each in the place of one with its id."""
        rows = [to_row(record, namespace, self.collection) for record in records]
        async with _failures(self.alias):
            await self.client.upsert(self.alias, rows, partition_name=layout.partition(namespace), **PLAIN)

    async def remove(self, namespace: str, ids: Iterable[str]) -> None:
        """Delete the vectors of these ids."""
        keys = ", ".join(filters.literal(layout.key(namespace, id_)) for id_ in ids)
        await self._delete(namespace, f"{layout.PK} in [{keys}]")

    async def remove_found(self, namespace: str, wanted: Filter | None) -> None:
        """Delete what a filter finds, or all of a namespace."""
        await self._delete(namespace, self._within(namespace, wanted))

    async def _delete(self, namespace: str, expression: str) -> None:
        async with _failures(self.alias):
            await self.client.delete(
                self.alias,
                filter=expression,
                partition_name=layout.partition(namespace),
                consistency_level="Strong",  # what was acknowledged before must be found
                **PLAIN,
            )

    def _within(self, namespace: str, wanted: Filter | None) -> str:
        own = f"{layout.NAMESPACE} == {filters.literal(namespace)}"
        return own if wanted is None else f"({own}) and ({self.columns.expression(wanted)})"


@dataclass(frozen=True)
class Registry:
    """The list of namespaces in an engine.

    A namespace has a row of its own kind for each way in which it came to be: one before its first vector, which
    stays, and one if it was made by name, which goes when it is deleted.
    """

    client: AsyncMilvusClient
    collection: str

    async def namespaces(self) -> dict[str, bool]:
        """Their names; whether each was made by name."""
        found: dict[str, bool] = {}
        last = ""
        while True:
            async with _failures(layout.REGISTRY):
                rows = await self.client.query(
                    layout.REGISTRY,
                    filter=f"(collection == {filters.literal(self.collection)})"
                    f" and ({layout.PK} > {filters.literal(last)})",
                    limit=PAGE,
                    output_fields=[layout.PK, layout.NAMESPACE],
                    consistency_level="Strong",
                    **PLAIN,
                )
            for row in rows:
                name = row[layout.NAMESPACE]
                found[name] = found.get(name, False) or row[layout.PK].startswith(MADE)
            if len(rows) < PAGE:
                return found
            last = rows[-1][layout.PK]

    async def add(self, namespace: str, made: bool = False) -> None:
        """Note a namespace."""
        row = {
            layout.PK: self._key(namespace, made),
            "collection": self.collection,
            layout.NAMESPACE: namespace,
            layout.VECTOR: [0.0, 0.0],
        }
        async with _failures(layout.REGISTRY):
            await self.client.upsert(layout.REGISTRY, [row], **PLAIN)

    async def forget(self, namespace: str) -> None:
        """A namespace is no longer one that was made by name."""
        async with _failures(layout.REGISTRY):
            key = filters.literal(self._key(namespace, made=True))
            await self.client.delete(layout.REGISTRY, filter=f"{layout.PK} in [{key}]", **PLAIN)

    def _key(self, namespace: str, made: bool) -> str:
        return (MADE if made else SEEN) + layout.key(self.collection, namespace)


MADE, SEEN = "+", "."
"""What the registry's keys begin with."""


class Locks:
    """A lock for each id that is being written, for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def holding(self, collection: str, namespace: str, ids: Iterable[str]) -> AsyncIterator[None]:
        """Alone with these ids. They are taken in one order everywhere, so that nobody waits in a circle."""
        keys = [(collection, namespace, id_) for id_ in sorted(ids)]
        locks = [self._locks.setdefault(key, asyncio.Lock()) for key in keys]
        async with AsyncExitStack() as held:
            for lock in locks:
                await held.enter_async_context(lock)
            yield


@asynccontextmanager
async def _failures(place: str) -> AsyncIterator[None]:
    """A call of Milvus. Raises NotReady and EngineTimeout."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except TimeoutError as error:
        log.warning("engine too slow", extra={"place": place})
        raise EngineTimeout(f"the engine gave no answer within {ANSWER_SECONDS:.0f} s") from error
    except (MilvusException, grpc.RpcError, OSError) as error:
        code = error.code() if isinstance(error, grpc.RpcError) else getattr(error, "code", "")
        log.warning("engine failed", extra={"place": place, "error": type(error).__name__, "code": str(code)})
        raise NotReady("the engine does not answer, or has not loaded this index yet: ask again", 1.0) from error


def _key(namespace: str, id_: str) -> str:
    return filters.literal(layout.key(namespace, id_))


def _match(hit: Any) -> Match:
    entity = hit["entity"]
    return Match(entity[layout.ID], hit["distance"], entity.get(layout.VECTOR), entity.get(layout.METADATA))


def _record(row: Any) -> Record:
    return Record(row[layout.ID], np.asarray(row[layout.VECTOR], dtype=np.float32), row[layout.METADATA])
