"""The JSON of answers, as the Pinecone API has it: of its data plane (db_data) and of errors on both planes."""

from typing import Any, Final

from starlette.requests import Request

from workloads.edge.errors import EdgeError
from workloads.vectors import layout
from workloads.vectors.config import Collection
from workloads.vectors.gateway.operations import token
from workloads.vectors.gateway.records import Record
from workloads.vectors.gateway.store import Match

DATA_PLANE: Final = "/v/"
"""Where the paths of collections begin; everything else is the control plane."""
USAGE: Final = {"readUnits": 1}
"""Pinecone's unit of account. Here nobody pays; clients want to read a number."""
STATUS_CODES: Final = {
    400: (3, "INVALID_ARGUMENT"),
    401: (16, "UNAUTHENTICATED"),
    403: (7, "FORBIDDEN"),
    404: (5, "NOT_FOUND"),
    405: (12, "UNIMPLEMENTED"),
    408: (4, "DEADLINE_EXCEEDED"),
    409: (6, "ALREADY_EXISTS"),
    413: (11, "OUT_OF_RANGE"),
    415: (3, "INVALID_ARGUMENT"),
    500: (13, "INTERNAL"),
    502: (14, "UNAVAILABLE"),
    503: (14, "UNAVAILABLE"),
    504: (4, "DEADLINE_EXCEEDED"),
}
"""By HTTP status: the code of gRPC that the data plane names (rpcStatus), and the control plane's word (ErrorResponse,
db_control)."""


def error(request: Request, found: EdgeError) -> dict[str, Any]:
    """The answer to a request that failed."""
    number, word = STATUS_CODES[found.status]
    if request.url.path.startswith(DATA_PLANE):
        return {"code": number, "message": str(found), "details": []}
    return {"status": found.status, "error": {"code": word, "message": str(found)}}


def matches(namespace: str, found: list[Match]) -> dict[str, Any]:
    """Of a query."""
    return {"matches": [_match(match) for match in found], "namespace": shown(namespace), "usage": USAGE}


def vectors(namespace: str, found: list[Record]) -> dict[str, Any]:
    """Of a fetch."""
    return {"vectors": {one.id: _record(one) for one in found}, "namespace": shown(namespace), "usage": USAGE}


def ids(namespace: str, found: list[str], more: bool) -> dict[str, Any]:
    """Of a list."""
    page = {"vectors": [{"id": id_} for id_ in found], "namespace": shown(namespace), "usage": USAGE}
    return page | pagination(found[-1] if more else "")


def stats(collection: Collection, counts: dict[str, int]) -> dict[str, Any]:
    """Of describe_index_stats."""
    return {
        "namespaces": {name: {"vectorCount": count} for name, count in counts.items()},
        "dimension": collection.dimension,
        "indexFullness": 0,
        "totalVectorCount": sum(counts.values()),
        "metric": collection.metric,
        "vectorType": "dense",
    }


def namespace(name: str, count: int) -> dict[str, Any]:
    """Of one namespace."""
    return {"name": name, "record_count": count}


def pagination(last: str) -> dict[str, Any]:
    """What leads to the next page; nothing if this is the last one."""
    return {"pagination": {"next": token(last)}} if last else {}


def shown(namespace: str) -> str:
    """The namespace without a name is called by none in answers to its vectors."""
    return "" if namespace == layout.DEFAULT_NAMESPACE else namespace


def _match(found: Match) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": found.id, "score": found.score}
    if found.values is not None:
        entry["values"] = found.values
    if found.metadata:
        entry["metadata"] = found.metadata
    return entry


def _record(found: Record) -> dict[str, Any]:
    metadata = {"metadata": found.metadata} if found.metadata else {}
    return {"id": found.id, "values": found.values, **metadata}
