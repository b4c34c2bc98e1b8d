"""One Milvus with a few collections and one gateway, for all tests here; tests keep apart by namespaces."""

import uuid
from collections.abc import Iterator

import pytest

from tests.integration.parts.vectors import Vectors
from workloads.edge.document import token_hash
from workloads.vectors.config import Collection, Field

DIMENSION = 4
FIELDS = (
    Field("year", "int"),
    Field("venue", "string"),
    Field("tags", "stringList"),
    Field("score", "float"),
    Field("open", "bool"),
)
PAPERS = Collection("papers", DIMENSION, "cosine", FIELDS)
NEAR = Collection("near-by", DIMENSION, "euclidean")
PRIVATE = Collection("private", DIMENSION, "dotproduct", tokens=(token_hash("mine"),))


@pytest.fixture(scope="package")
def _vectors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vectors]:
    running = Vectors(tmp_path_factory.mktemp("vectors"), (PAPERS, NEAR, PRIVATE))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def vectors(_vectors: Vectors) -> Vectors:
    """The running parts, with what the tests here declare."""
    _vectors.declare(*_vectors.collections)
    return _vectors


@pytest.fixture
def namespace() -> str:
    """A namespace that nobody else uses."""
    return f"n-{uuid.uuid4().hex}"
