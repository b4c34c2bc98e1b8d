"""A vector with its id and metadata: what may be sent, and the row that it is in Milvus."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from workloads.edge.errors import InvalidRequest
from workloads.vectors import layout
from workloads.vectors.config import Collection
from workloads.vectors.layout import MAX_METADATA, MAX_WHOLE

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Record:
    """One vector."""

    id: str
    values: Floats
    """(dimension,)"""
    metadata: dict[str, Any] = field(default_factory=dict)


def read(document: Any, collection: Collection, where: str) -> Record:
    """The record in one of `vectors` of an upsert. Raises InvalidRequest."""
    if not isinstance(document, dict):
        raise InvalidRequest(f"{where}: expected an object with id and values")
    refuse_sparse(document, where)
    found = Record(
        read_id(document.get("id"), f"{where}.id"),
        read_values(document.get("values"), collection, f"{where}.values"),
        document.get("metadata") or {},
    )
    check_metadata(found.metadata, collection, f"{where}.metadata")
    return found


def read_id(value: Any, where: str) -> str:
    """An id: ASCII, as Pinecone has it. Raises InvalidRequest."""
    if not isinstance(value, str) or not 1 <= len(value) <= layout.MAX_ID or not value.isascii() or "\0" in value:
        raise InvalidRequest(f"{where}: expected 1 to {layout.MAX_ID} ASCII characters, none of them NUL")
    return value


def read_values(value: Any, collection: Collection, where: str) -> Floats:
    """A vector: finite numbers, as many as the collection has dimensions. Raises InvalidRequest."""
    if not isinstance(value, list) or not set(map(type, value)) <= {int, float}:
        raise InvalidRequest(f"{where}: expected a list of numbers")
    if len(value) != collection.dimension:
        raise InvalidRequest(
            f"{where}: vector dimension {len(value)} does not match the dimension of the index {collection.dimension}"
        )
    with np.errstate(over="ignore"):
        values: Floats = np.array(value, dtype=np.float32)
    if not np.isfinite(values).all():
        raise InvalidRequest(f"{where}: expected finite numbers that fit 32 bits")
    if collection.metric == "cosine" and not values.any():
        raise InvalidRequest(f"{where}: expected at least one value other than zero: cosine knows no zero vector")
    return values


def refuse_sparse(document: Mapping[str, Any], where: str) -> None:
    """Raise InvalidRequest if there are sparse values."""
    for name in ("sparseValues", "sparseVector", "sparse_values"):
        if document.get(name) is not None:
            raise InvalidRequest(f"{where}: {name}: this index holds dense vectors only")


def check_metadata(metadata: Any, collection: Collection, where: str) -> None:
    """Raise InvalidRequest for metadata that Pinecone would refuse, or that a declared field can't hold."""
    if not isinstance(metadata, dict):
        raise InvalidRequest(f"{where}: expected an object")
    for name, value in metadata.items():
        if not name or name.startswith("$") or "\0" in name:
            raise InvalidRequest(f"{where}: expected names that are not empty and begin with no $, got {name[:60]!r}")
        _check_value(value, f"{where}.{name[:60]}")
    for declared in collection.fields:
        if declared.name in metadata and not _fits(declared.type, metadata[declared.name]):
            raise InvalidRequest(
                f"{where}.{declared.name}: the collection declares this field as {EXPECTED[declared.type]},"
                f" got {_shown(metadata[declared.name])}"
            )
    if metadata and (size := len(orjson.dumps(metadata))) > MAX_METADATA:
        raise InvalidRequest(f"{where}: metadata size is {size} bytes, which exceeds the limit of {MAX_METADATA} bytes")


def to_row(record: Record, namespace: str, collection: Collection) -> dict[str, Any]:
    """The row, with a column for each declared field and all of the metadata beside."""
    columns = {
        layout.column(declared.name): _column(declared.type, record.metadata.get(declared.name))
        for declared in collection.fields
    }
    return {
        layout.PK: layout.key(namespace, record.id),
        layout.NAMESPACE: namespace,
        layout.ID: record.id,
        layout.VECTOR: record.values,
        layout.METADATA: record.metadata,
        **columns,
    }


EXPECTED: Final = {
    "string": f"a string of at most {layout.MAX_STRING} bytes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "stringList": f"a list of at most {layout.MAX_LIST} strings of at most {layout.MAX_STRING} bytes each",
}
"""What a declared field takes, in words."""


def _check_value(value: Any, where: str) -> None:
    match value:
        case str() if "\0" not in value:
            return
        case bool():
            return
        case int() if abs(value) <= MAX_WHOLE:
            return
        case float() if math.isfinite(value):
            return
        case list() if all(isinstance(item, str) and "\0" not in item for item in value):
            return
    raise InvalidRequest(
        f"{where}: metadata value must be a string, number, boolean or list of strings, got {_shown(value)}"
    )


def _fits(kind: str, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "string":
            return isinstance(value, str) and _short(value)
        case "int":
            return number and value == int(value) and abs(value) <= MAX_WHOLE
        case "float":
            return number and value != layout.MISSING["float"]
        case "bool":
            return isinstance(value, bool)
        case _:
            return isinstance(value, list) and len(value) <= layout.MAX_LIST and all(map(_short, value))


def _short(text: str) -> bool:
    return len(text.encode()) <= layout.MAX_STRING


def _column(kind: str, value: Any) -> Any:
    if value is None:
        return layout.MISSING[kind]
    return {"int": int, "float": float, "bool": int}.get(kind, _as_it_is)(value)


def _as_it_is(value: Any) -> Any:
    return value


def _shown(value: Any) -> str:
    """A value's kind in JSON's words: the value itself is the sender's and goes into no log."""
    kinds = {
        "NoneType": "null",
        "dict": "an object",
        "list": "another list",
        "str": "another string",
        "bool": "a boolean",
    }
    return kinds.get(type(value).__name__, "another number")
