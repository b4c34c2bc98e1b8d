"""The gateway that embeds, with MiniLM, and the one that keeps, over the real Milvus; each test has a namespace."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.inference.conftest import minilm_model
from tests.integration.parts.bucket import S3Server
from tests.integration.parts.ingestion import Ingest
from tests.integration.parts.serving import Server, Serving
from tests.integration.parts.vectors import Vectors
from tools import minilm
from workloads.inference.config import State
from workloads.vectors.config import Collection, Field
from workloads.vectors.ingestion import Ingestion

FIELDS = (Field("year", "int"), Field("venue", "string"), Field("tags", "stringList"), Field("authors", "stringList"))
PAPERS = Collection("papers", 384, "cosine", FIELDS)


@pytest.fixture(scope="package")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("embedder")
    minilm.write(folder / "claims/models/minilm")
    running = Serving(folder, [Server(folder / "server", folder / "claims", 18201)], port=18280)
    running.declare(minilm_model())
    running.start()
    running.server.until_state("minilm", State.LOADED)
    running.until_answers(minilm.MODEL_ID)
    yield running
    running.stop()


@pytest.fixture(scope="package")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vectors]:
    running = Vectors(tmp_path_factory.mktemp("keeper"), (PAPERS,))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="package")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    running = S3Server(tmp_path_factory.mktemp("s3"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="package")
def ingest(embedder: Serving, keeper: Vectors, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ingest]:
    """A job of its own for each namespace."""

    def make(namespace: str) -> Ingest:
        ingestion = Ingestion(
            collection="papers",
            namespace=namespace,
            source="pvc://library/papers/*.jsonl",
            state="pvc://library/state/papers",
            id_field="id",
            text_fields=("title", "summary"),
            model_id=minilm.MODEL_ID,
            inference=embedder.url,
            vectors=keeper.url,
            fields=FIELDS,
            near_duplicate_percent=80,
        )
        folder = tmp_path_factory.mktemp(namespace)
        (folder / "claims/library").mkdir(parents=True)
        return Ingest(folder, ingestion)

    return make


@pytest.fixture(scope="package")
def papers() -> list[str]:
    """The lines of the example."""
    return (Path(__file__).parents[3] / "examples/papers/papers.jsonl").read_text().splitlines()
