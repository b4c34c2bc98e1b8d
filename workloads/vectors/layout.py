"""How collections lie in Milvus: names, columns, partitions. Nothing of Milvus's client in here.

    hs_papers            an alias, what is read and written
    hs_papers_g1         the collection behind it: generation 1
    hs_namespaces        which namespaces there are; Milvus can't list the distinct values of a column

A row is one vector:

    pk         namespace and id in one key, ordered by both: Pinecone's ids are unique in a namespace
    namespace  id
    vector
    f_<name>   a column for each declared metadata field, with a value of its own for 'not there': Milvus before 2.5
               knows no null
    metadata   all of the metadata, as it was sent

Namespaces are spread over partitions here and not by Milvus's partition key: an upsert of Milvus 2.3.5 spreads rows
of one key over all partitions, and a query of that key then misses most of them.
"""

import zlib
from typing import Any, Final

from workloads.vectors.config import generation_name

PREFIX: Final = "hs_"
REGISTRY: Final = f"{PREFIX}namespaces"
DEFAULT_NAMESPACE: Final = "__default__"
"""Pinecone's name for the namespace without one."""
NO_NAMESPACE: Final = "namespace {} not found"
"""What the gateway says of one that is not there, and what the ingestion tells it by: a 404 may be of the index too."""
PARTITIONS: Final = tuple(f"p{number:02d}" for number in range(16))
PK, NAMESPACE, ID, VECTOR, METADATA = "pk", "namespace", "id", "vector", "metadata"
MAX_ID: Final = 512
"""Characters, of an id and of a namespace."""
MAX_STRING: Final = 4096
"""Bytes of a declared string, and of one in a declared list."""
MAX_LIST: Final = 256
"""Strings in a declared list."""
MAX_METADATA: Final = 40 * 1024
"""Bytes of a record's metadata as JSON (https://docs.pinecone.io/reference/api/database-limits)."""
MAX_WHOLE: Final = 2**53
"""Whole numbers are exact up to here: Pinecone's numbers are float64."""
METRICS: Final = {"cosine": "COSINE", "dotproduct": "IP", "euclidean": "L2"}
"""Pinecone's names and Milvus's; the scores mean the same (L2 is the squared distance in both)."""
MISSING: Final[dict[str, Any]] = {
    "string": "\0",
    "int": -(2**63),
    "float": -1.7976931348623157e308,
    "bool": -1,
    "stringList": ["\0"],
}
"""By a field's type, what its column holds where a record has no such field. No record can hold these values."""


def alias(collection: str) -> str:
    """What a collection is read and written by. Names of objects hold dashes, Milvus's names hold none."""
    return PREFIX + collection.replace("-", "_")


def generation(collection: str, number: int = 1) -> str:
    """The name of a generation."""
    return generation_name(collection, number)


def column(field: str) -> str:
    """The column of a declared field."""
    return f"f_{field}"


def partition(namespace: str) -> str:
    """Where a namespace's rows are."""
    return PARTITIONS[zlib.crc32(namespace.encode()) % len(PARTITIONS)]


def key(namespace: str, id_: str) -> str:
    """The primary key of a row; the length before it keeps ('a', 'bc') and ('ab', 'c') apart."""
    return f"{len(namespace)}:{namespace}{id_}"
