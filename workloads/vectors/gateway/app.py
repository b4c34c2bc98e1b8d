"""The gateway's routes.

GET  /indexes  /indexes/{name}           the control plane: collections as Pinecone describes indexes
POST PATCH DELETE there                  405: indexes are objects, kubectl applies them

under /v/{collection}, the data plane:
POST /vectors/upsert  /query  /vectors/fetch_by_metadata  /vectors/update  /vectors/delete  /describe_index_stats
GET  /vectors/fetch  /vectors/list
GET POST /namespaces, GET DELETE /namespaces/{namespace}

GET  /-/state  /healthz  /readyz         those of every gateway
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workloads.edge import bodies, gateway, tokens
from workloads.edge.errors import Conflict, InvalidRequest, MethodNotAllowed, NotFound, NotReady
from workloads.edge.kept import Kept
from workloads.vectors import layout
from workloads.vectors.config import Collection, Config
from workloads.vectors.filters import Filter
from workloads.vectors.gateway import answers, indexes, operations
from workloads.vectors.gateway.engines import Engine, Engines
from workloads.vectors.gateway.operations import OPERATORS_NAMESPACE
from workloads.vectors.gateway.records import Record, check_metadata
from workloads.vectors.gateway.store import PAGE, Locks, Registry, Store

API_KEY_HEADER: Final = "api-key"
MAX_ANSWER: Final = 4 * 2**20
"""Bytes of an answer to a query."""
COUNTS_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Asked:
    """A collection, as the one who asks may use it."""

    collection: Collection
    engine: Engine
    store: Store
    registry: Registry
    operator: bool

    def allow(self, namespace: str) -> None:
        """Raise Forbidden for a namespace that is not for this one."""
        operations.check_owner(namespace, self.operator)


Handler = Callable[["Gateway", Request, Asked], Awaitable[Any]]


@dataclass(frozen=True)
class Gateway:
    """The handlers, and what they look at."""

    config: Kept[Config]
    engines: Engines
    locks: Locks = field(default_factory=Locks)

    async def upsert(self, request: Request, asked: Asked) -> Any:
        """POST vectors."""
        wanted = operations.upsert(await _document(request), asked.collection)
        asked.allow(wanted.namespace)
        await self._put(asked, wanted.namespace, wanted.records)
        request.state.log["vectors"] = len(wanted.records)
        return {"upsertedCount": len(wanted.records)}

    async def query(self, request: Request, asked: Asked) -> Any:
        """POST a question: the nearest vectors."""
        wanted = operations.query(await _document(request), asked.collection)
        asked.allow(wanted.namespace)
        vector = wanted.vector
        if vector is None:
            there = await asked.store.get(wanted.namespace, [wanted.id], strong=True)
            if not there:
                return answers.matches(wanted.namespace, [])
            vector = there[0].values
        found = await asked.store.search(
            wanted.namespace, vector, wanted.top_k, wanted.filter, wanted.values, wanted.metadata
        )
        return answers.matches(wanted.namespace, found)

    async def fetch(self, request: Request, asked: Asked) -> Any:
        """GET vectors by their ids."""
        wanted = operations.fetch(request.query_params.getlist("ids"), request.query_params.get("namespace", ""))
        asked.allow(wanted.namespace)
        return answers.vectors(wanted.namespace, await asked.store.get(wanted.namespace, wanted.ids))

    async def fetch_by_metadata(self, request: Request, asked: Asked) -> Any:
        """POST a filter: the vectors that it finds, page by page."""
        wanted = operations.fetch_by_metadata(await _document(request))
        asked.allow(wanted.namespace)
        found = await asked.store.find(wanted.namespace, wanted.filter, wanted.limit + 1, wanted.after)
        page, more = found[: wanted.limit], len(found) > wanted.limit
        return answers.vectors(wanted.namespace, page) | answers.pagination(page[-1].id if more else "")

    async def update(self, request: Request, asked: Asked) -> Any:
        """POST what is to be other than it is."""
        wanted = operations.update(await _document(request), asked.collection)
        asked.allow(wanted.namespace)
        if wanted.filter is not None:
            if wanted.dry_run:
                return {"matchedRecords": await asked.store.count(wanted.namespace, wanted.filter, strong=True)}
            return {"matchedRecords": await self._update_found(asked, wanted.namespace, wanted.filter, wanted.metadata)}
        async with self.locks.holding(asked.collection.name, wanted.namespace, [wanted.id]):
            there = await asked.store.get(wanted.namespace, [wanted.id], strong=True)
            if there and not wanted.dry_run:
                values = there[0].values if wanted.values is None else wanted.values
                changed = Record(wanted.id, values, _merged(there[0].metadata, wanted.metadata, asked.collection))
                await asked.store.put(wanted.namespace, [changed])
        return {"matchedRecords": len(there)}

    async def delete(self, request: Request, asked: Asked) -> Any:
        """POST what is to go."""
        wanted = operations.delete(await _document(request))
        asked.allow(wanted.namespace)
        if wanted.ids:
            async with self.locks.holding(asked.collection.name, wanted.namespace, wanted.ids):
                await asked.store.remove(wanted.namespace, wanted.ids)
        else:
            await asked.store.remove_found(wanted.namespace, wanted.filter)
        return {}

    async def list(self, request: Request, asked: Asked) -> Any:
        """GET ids, in order."""
        namespace = operations.namespace(request.query_params.get("namespace"))
        asked.allow(namespace)
        page = operations.page(request.query_params)
        found = await asked.store.ids(namespace, page.prefix, page.limit + 1, page.after)
        return answers.ids(namespace, found[: page.limit], more=len(found) > page.limit)

    async def stats(self, request: Request, asked: Asked) -> Any:
        """POST (or GET): how many vectors there are, by namespace."""
        body = await _body(request)
        wanted = operations.optional_filter(operations.parse(body)) if body else None
        counts = await self._counts(asked, wanted)
        return answers.stats(asked.collection, counts)

    async def list_namespaces(self, request: Request, asked: Asked) -> Any:
        """GET the namespaces, in order."""
        page = operations.page(request.query_params)
        counts = await self._counts(asked)
        wanted = sorted(name for name in counts if name.startswith(page.prefix))
        rest = [name for name in wanted if name > page.after]
        names = rest[: page.limit]
        found = [answers.namespace(name, counts[name]) for name in names]
        more = answers.pagination(names[-1] if len(rest) > page.limit else "")
        return {"namespaces": found, "total_count": len(wanted)} | more

    async def create_namespace(self, request: Request, asked: Asked) -> Any:
        """POST a new namespace."""
        name = operations.namespace((await _document(request)).get("name"))
        if name == layout.DEFAULT_NAMESPACE:
            raise InvalidRequest(f"name: expected another one than {layout.DEFAULT_NAMESPACE}, which is always there")
        asked.allow(name)
        async with self.locks.holding(asked.collection.name, name, [""]):  # no vector has this id
            if await self._namespace(asked, name) is not None:
                raise Conflict(f"namespace {name} exists already")
            await asked.registry.add(name, made=True)
        return answers.namespace(name, 0)

    async def describe_namespace(self, request: Request, asked: Asked) -> Any:
        """GET one namespace."""
        name = operations.namespace(request.path_params["namespace"])
        asked.allow(name)
        count = await self._namespace(asked, name)
        if count is None:
            raise NotFound(layout.NO_NAMESPACE.format(name))
        return answers.namespace(name, count)

    async def delete_namespace(self, request: Request, asked: Asked) -> Any:
        """DELETE a namespace with all that is in it."""
        name = operations.namespace(request.path_params["namespace"])
        asked.allow(name)
        if await self._namespace(asked, name) is None:
            raise NotFound(layout.NO_NAMESPACE.format(name))
        await asked.store.remove_found(name, None)
        await asked.registry.forget(name)
        return {}

    async def list_indexes(self, request: Request) -> Response:
        """GET the collections that this key may use."""
        known = self.config.value.collections
        mine = [one for one in known if not one.tokens or tokens.matches(_key(request), one.tokens)]
        return _json({"indexes": [self._described(request, collection) for collection in mine]})

    async def describe_index(self, request: Request) -> Response:
        """GET one collection."""
        collection, _ = self._authorized(request, request.path_params["name"])
        return _json(self._described(request, collection))

    async def refuse_index(self, request: Request) -> Response:
        """POST, PATCH or DELETE an index."""
        raise MethodNotAllowed(indexes.MADE_BY_OBJECTS)

    async def ask(self, handler: Handler, request: Request) -> Response:
        """One request of the data plane."""
        collection, operator = self._authorized(request, request.path_params["collection"])
        request.state.log = {"collection": collection.name}
        engine = self.engines.of(collection)
        assert engine.client
        store, registry = Store(engine.client, collection), Registry(engine.client, collection.name)
        return _json(await handler(self, request, Asked(collection, engine, store, registry, operator)))

    async def _put(self, asked: Asked, namespace: str, records: tuple[Record, ...]) -> None:
        """Write vectors; their namespace is in the list before the first of them is."""
        note = (asked.collection.name, namespace)
        try:
            if note not in asked.engine.noted:
                await asked.registry.add(namespace)
                asked.engine.noted.add(note)
            async with self.locks.holding(*note, [record.id for record in records]):
                await asked.store.put(namespace, records)
        except NotReady:
            asked.engine.noted.clear()  # what comes back may be another engine
            raise

    async def _update_found(self, asked: Asked, namespace: str, wanted: Filter, metadata: dict[str, Any]) -> int:
        """Merge metadata into all that a filter finds, page by page; how many they were."""
        changed, after = 0, ""
        while True:
            found = await asked.store.find(namespace, wanted, PAGE, after, strong=True)
            ids = [record.id for record in found]
            async with self.locks.holding(asked.collection.name, namespace, ids):
                # Between the look and the lock one of them may have become another.
                there = await asked.store.get(namespace, ids, strong=True) if ids else []
                rows = [Record(r.id, r.values, _merged(r.metadata, metadata, asked.collection)) for r in there]
                if rows:
                    await asked.store.put(namespace, rows)
            changed += len(rows)
            if len(found) < PAGE:
                return changed
            after = ids[-1]

    async def _counts(self, asked: Asked, wanted: Filter | None = None) -> dict[str, int]:
        """Vectors by namespace: of those that have any, or were made by name."""
        made = {
            name: by_name
            for name, by_name in (await asked.registry.namespaces()).items()
            if not name.startswith(OPERATORS_NAMESPACE)
        }
        gate = asyncio.Semaphore(COUNTS_AT_ONCE)

        async def count(name: str) -> int:
            async with gate:
                return await asked.store.count(name, wanted)

        names = sorted(made)
        counts = dict(zip(names, await asyncio.gather(*map(count, names)), strict=True))
        return {name: number for name, number in counts.items() if number or made[name]}

    async def _namespace(self, asked: Asked, name: str) -> int | None:
        """How many vectors are in a namespace; None if there is no such namespace."""
        made = (await asked.registry.namespaces()).get(name, False)
        count = await asked.store.count(name, strong=True)
        return count if count or made else None

    def _described(self, request: Request, collection: Collection) -> dict[str, Any]:
        version = request.headers.get(indexes.VERSION_HEADER, "")
        return indexes.describe(collection, self.engines.placements(), indexes.address(request), version)

    def _authorized(self, request: Request, name: str) -> tuple[Collection, bool]:
        """A collection, and whether the operator asks. Raises NotFound, Unauthorized, Forbidden."""
        found = next((one for one in self.config.value.collections if one.name == name), None)
        if found is None:
            raise NotFound(f"index {name[:60]} not found")
        operator = gateway.operator_asks(request, self.config.value.probe_token)
        if found.tokens and not operator:
            others = [known for other in self.config.value.collections for known in other.tokens]
            tokens.check(_key(request), found.tokens, others, API_KEY_HEADER)
        return found, operator


DATA_PLANE: Final[dict[str, dict[str, Handler]]] = {
    "/vectors/upsert": {"POST": Gateway.upsert},
    "/query": {"POST": Gateway.query},
    "/vectors/fetch": {"GET": Gateway.fetch},
    "/vectors/fetch_by_metadata": {"POST": Gateway.fetch_by_metadata},
    "/vectors/update": {"POST": Gateway.update},
    "/vectors/delete": {"POST": Gateway.delete},
    "/vectors/list": {"GET": Gateway.list},
    "/describe_index_stats": {"POST": Gateway.stats, "GET": Gateway.stats},
    "/namespaces": {"GET": Gateway.list_namespaces, "POST": Gateway.create_namespace},
    "/namespaces/{namespace:path}": {"GET": Gateway.describe_namespace, "DELETE": Gateway.delete_namespace},
}


def build(config: Kept[Config], engines: Engines, *follow: Any) -> Any:
    """The ASGI app. `follow` are coroutines to run beside it."""
    handlers = Gateway(config, engines)
    asks = [
        Route(f"{answers.DATA_PLANE}{{collection}}{path}", partial(handlers.ask, handler), methods=[method])
        for path, by_method in DATA_PLANE.items()
        for method, handler in by_method.items()
    ]
    routes = [
        *asks,
        Route("/indexes", handlers.list_indexes),
        Route("/indexes/{name}", handlers.describe_index),
        Route("/indexes", handlers.refuse_index, methods=["POST"]),
        Route("/indexes/{name}", handlers.refuse_index, methods=["POST", "PATCH", "DELETE"]),
    ]
    return gateway.build(routes, config, engines.placements, engines.run(), *follow, shape=answers.error)


async def _body(request: Request) -> bytes:
    return await bodies.read(dict(request.headers.items()), request.stream())


async def _document(request: Request) -> dict[str, Any]:
    return operations.parse(await _body(request))


def _key(request: Request) -> str:
    return request.headers.get(API_KEY_HEADER, "")


def _merged(there: dict[str, Any], more: dict[str, Any], collection: Collection) -> dict[str, Any]:
    merged = there | more
    check_metadata(merged, collection, "setMetadata")  # the sum can be too large
    return merged


def _json(content: Any) -> Response:
    rendered = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    if isinstance(content, dict) and "matches" in content and len(rendered) > MAX_ANSWER:
        raise InvalidRequest(f"query: the answer exceeds {MAX_ANSWER} bytes: ask for fewer, or without their values")
    return Response(rendered, media_type="application/json")
