"""Collections as the control plane describes indexes (API 2026-04 db_control; 2026-07 as SDK 10.2 reads it)."""

import re
from collections.abc import Iterable
from typing import Any, Final

from starlette.requests import Request

from workloads.edge.errors import InvalidRequest
from workloads.vectors.config import Collection, Placement, State

VERSION_HEADER: Final = "x-pinecone-api-version"
SCHEMAS_SINCE: Final = "2026-07"
"""From this version on an index is described by a schema; versions are dates, ordered as text."""
HERE: Final = {"cloud": "homespun", "region": "home"}
"""Where an index is, to clients that want to be told a cloud."""
MADE_BY_OBJECTS: Final = (
    "indexes are VectorCollection objects here: write one and `kubectl apply` it, edit it to change the index, and"
    " `kubectl delete` it to delete the index"
)


def describe(collection: Collection, placements: Iterable[Placement], address: str, version: str) -> dict[str, Any]:
    """One index, in the shape of an API version ('': the newest)."""
    loaded = any(held.collection == collection.name and held.state is State.LOADED for held in placements)
    common = {
        "name": collection.name,
        "host": f"{address}/v/{collection.name}",
        "status": {"ready": loaded, "state": "Ready" if loaded else "Initializing"},
        "deletion_protection": "enabled",
        "tags": None,
    }
    if version and version < SCHEMAS_SINCE:
        return common | {
            "dimension": collection.dimension,
            "metric": collection.metric,
            "vector_type": "dense",
            "spec": {"serverless": HERE},
        }
    # `_values` is how the newer API shows an index of plain vectors, so that clients use the vectors API.
    values = {"type": "dense_vector", "dimension": collection.dimension, "metric": collection.metric}
    return common | {
        "schema": {"fields": {"_values": values}},
        "deployment": {"deployment_type": "managed", **HERE},
        "read_capacity": {"mode": "OnDemand", "status": {"state": "Ready"}},
    }


def address(request: Request) -> str:
    """Where the client reached this gateway: http://host:port. Raises InvalidRequest."""
    host = request.headers.get("host", "")
    if not re.fullmatch(r"[\w.:\[\]-]{1,255}", host, re.ASCII):
        raise InvalidRequest("host: expected a name and a port")
    secure = request.headers.get("x-forwarded-proto", "") == "https"  # TLS ends before us
    return f"{'https' if secure else 'http'}://{host}"
