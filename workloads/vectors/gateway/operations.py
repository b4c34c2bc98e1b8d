"""What is asked of a collection: requests of Pinecone's data plane (API 2026-04, db_data), read and checked.

Field names are Pinecone's, in camelCase; unknown ones are ignored, as Pinecone does. All of it raises InvalidRequest.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from workloads.edge.errors import Forbidden, InvalidRequest
from workloads.vectors import filters, layout
from workloads.vectors.config import Collection
from workloads.vectors.filters import Filter
from workloads.vectors.gateway import records
from workloads.vectors.gateway.records import Floats, Record

MAX_VECTORS: Final = 1000
"""In one upsert, and ids in one fetch or delete."""
MAX_TOP_K: Final = 10_000
MAX_PAGE: Final = 100
"""Ids, or namespaces, of one list."""
MAX_FETCHED: Final = 10_000
"""Vectors of one page of a fetch by metadata."""
OPERATORS_NAMESPACE: Final = "__homespun"
"""Namespaces that begin so are the operator's, for its probe."""


@dataclass(frozen=True)
class Upsert:
    """POST /vectors/upsert."""

    namespace: str
    records: tuple[Record, ...]
    """One an id: of several, the last one."""


@dataclass(frozen=True, eq=False)
class Query:
    """POST /query: by a vector, or by the id of one that is there."""

    namespace: str
    top_k: int
    vector: Floats | None
    id: str
    filter: Filter | None
    values: bool
    metadata: bool


@dataclass(frozen=True)
class Fetch:
    """GET /vectors/fetch."""

    namespace: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class FetchByMetadata:
    """POST /vectors/fetch_by_metadata."""

    namespace: str
    filter: Filter
    limit: int
    after: str
    """The last id of the page before, '' for the first page."""


@dataclass(frozen=True, eq=False)
class Update:
    """POST /vectors/update: of one vector by its id, or of the metadata of all that a filter finds."""

    namespace: str
    id: str
    filter: Filter | None
    values: Floats | None
    metadata: dict[str, Any]
    dry_run: bool


@dataclass(frozen=True)
class Delete:
    """POST /vectors/delete: some ids, what a filter finds, or (with neither) all of a namespace."""

    namespace: str
    ids: tuple[str, ...] = ()
    filter: Filter | None = None


@dataclass(frozen=True)
class Page:
    """GET /vectors/list and GET /namespaces: what begins with a prefix, in order, after a name."""

    prefix: str
    limit: int
    after: str


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; strict as to NaN, text and depth (orjson's own limit)."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"body: expected a JSON object: {error.msg[:120]}") from error
    if not isinstance(document, dict):
        raise InvalidRequest("body: expected a JSON object")
    return document


def upsert(document: Mapping[str, Any], collection: Collection) -> Upsert:
    """The vectors of an upsert."""
    vectors = document.get("vectors")
    if not isinstance(vectors, list) or not 1 <= len(vectors) <= MAX_VECTORS:
        raise InvalidRequest(f"vectors: expected a list of 1 to {MAX_VECTORS} vectors")
    found = (records.read(vector, collection, f"vectors[{index}]") for index, vector in enumerate(vectors))
    last = {record.id: record for record in found}
    return Upsert(namespace(document.get("namespace")), tuple(last.values()))


def query(document: Mapping[str, Any], collection: Collection) -> Query:
    """One query."""
    records.refuse_sparse(document, "query")
    if document.get("queries"):
        raise InvalidRequest("queries: expected one query a request: send `vector` or `id`")
    vector, id_ = document.get("vector") or None, document.get("id") or None
    if (vector is None) == (id_ is None):
        raise InvalidRequest("query: expected either vector or id")
    return Query(
        namespace=namespace(document.get("namespace")),
        top_k=_whole(document.get("topK"), 1, MAX_TOP_K, "topK"),
        vector=None if vector is None else records.read_values(vector, collection, "vector"),
        id="" if id_ is None else records.read_id(id_, "id"),
        filter=optional_filter(document),
        values=_flag(document, "includeValues"),
        metadata=_flag(document, "includeMetadata"),
    )


def fetch(ids: list[str], namespace_: str) -> Fetch:
    """Vectors by their ids."""
    return Fetch(namespace(namespace_), _ids(ids))


def fetch_by_metadata(document: Mapping[str, Any]) -> FetchByMetadata:
    """Vectors by a filter, page by page."""
    if not document.get("filter"):
        raise InvalidRequest("Empty filter provided for fetch by metadata request")
    limit = document.get("limit")
    return FetchByMetadata(
        namespace=namespace(document.get("namespace")),
        filter=filters.read(document["filter"]),
        limit=100 if limit is None else _whole(limit, 1, MAX_FETCHED, "limit"),
        after=_after(document.get("paginationToken")),
    )


def update(document: Mapping[str, Any], collection: Collection) -> Update:
    """What is to be other than it is."""
    records.refuse_sparse(document, "update")
    id_, filter_, values = document.get("id") or None, document.get("filter"), document.get("values") or None
    if (id_ is None) == (filter_ is None):
        raise InvalidRequest("update: expected either id or filter")
    if filter_ is not None and not filter_:
        raise InvalidRequest("Update with empty metadata filter is not allowed")
    if filter_ is not None and values is not None:
        raise InvalidRequest("values: an update by filter changes metadata only")
    metadata = document.get("setMetadata") or {}
    records.check_metadata(metadata, collection, "setMetadata")
    if values is None and not metadata and not document.get("dryRun"):
        raise InvalidRequest("update: expected values or setMetadata")
    return Update(
        namespace=namespace(document.get("namespace")),
        id="" if id_ is None else records.read_id(id_, "id"),
        filter=None if filter_ is None else filters.read(filter_),
        values=None if values is None else records.read_values(values, collection, "values"),
        metadata=metadata,
        dry_run=_flag(document, "dryRun"),
    )


def delete(document: Mapping[str, Any]) -> Delete:
    """What is to go."""
    ids, filter_, everything = document.get("ids") or None, document.get("filter"), _flag(document, "deleteAll")
    if filter_ is not None and not filter_:
        raise InvalidRequest("Delete with empty metadata filter is not allowed")
    if [ids is not None, filter_ is not None, everything].count(True) != 1:
        raise InvalidRequest("delete: expected one of ids, filter and deleteAll")
    where = namespace(document.get("namespace"))
    if ids is not None:
        return Delete(where, ids=_ids(ids))
    return Delete(where, filter=None if everything else filters.read(filter_))


def page(parameters: Mapping[str, str]) -> Page:
    """A page of a list."""
    prefix = parameters.get("prefix", "")
    if prefix:
        records.read_id(prefix, "prefix")
    limit = parameters.get("limit", str(MAX_PAGE))
    number = int(limit) if limit.isdecimal() and len(limit) < 6 else None
    return Page(prefix, _whole(number, 1, MAX_PAGE, "limit"), _after(parameters.get("paginationToken")))


def optional_filter(document: Mapping[str, Any]) -> Filter | None:
    """The filter of a request, if it has one; an empty one is none."""
    found = document.get("filter")
    return filters.read(found) if found else None


def namespace(value: Any) -> str:
    """A namespace's name; the one without a name is `__default__`."""
    if value in (None, ""):
        return layout.DEFAULT_NAMESPACE
    return records.read_id(value, "namespace")


def check_owner(namespace: str, operator: bool) -> None:
    """Raise Forbidden for the operator's own namespaces, unless the operator asks."""
    if namespace.startswith(OPERATORS_NAMESPACE) and not operator:
        raise Forbidden(f"namespace: names that begin with {OPERATORS_NAMESPACE} are the operator's: take another one")


def token(last: str) -> str:
    """The pagination token of what comes after this name."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def _after(value: Any) -> str:
    if value in (None, ""):
        return ""
    try:
        return records.read_id(base64.b64decode(value, b"-_", validate=True).decode(), "paginationToken")
    except (TypeError, ValueError, binascii.Error) as error:
        raise InvalidRequest("paginationToken: expected one that was given with the page before") from error


def _ids(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_VECTORS:
        raise InvalidRequest(f"ids: expected a list of 1 to {MAX_VECTORS} ids")
    return tuple(dict.fromkeys(records.read_id(id_, "ids") for id_ in value))


def _whole(value: Any, least: int, most: int, where: str) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())  # some clients know one type
    if isinstance(value, bool) or not whole or not least <= value <= most:
        raise InvalidRequest(f"{where}: expected a whole number from {least} to {most}")
    return int(value)


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name)
    if not isinstance(value, bool | None):
        raise InvalidRequest(f"{name}: expected true or false")
    return bool(value)
