"""The Pinecone SDK, as it is on PyPI, gets its answers and its errors."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.parts.vectors import Vectors
from tools.environments import environment

PROGRAM = Path(__file__).parent / "client.py"


def _call(vectors: Vectors, call: str, key: str = "any", index: str = "papers") -> Any:
    command = [str(environment("client-pinecone") / "bin/python"), str(PROGRAM), vectors.url, key, index, call]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"HOME": "/nonexistent"})
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_the_whole_vectors_api_works(vectors: Vectors) -> None:
    assert _call(vectors, "journey")["answer"] == {
        "created": True,
        "upserted": 5,
        "query": [["doc0", 2010, 4], ["doc1", 2011, 4], ["doc2", 2012, 4]],
        "filtered": ["doc3", "doc4"],
        "by id": "doc4",
        "fetched": ["doc0"],
        "by metadata": ["doc2"],
        "listed": ["doc0", "doc1", "doc2", "doc3", "doc4"],
        "dry": 2,
        "updated": 2,
        "left": ["doc0", "doc3", "doc4"],
        "note": {"year": 2010, "tags": ["a"], "note": "new"},
        "described": 3,
        "namespaces": True,
        "gone": True,
    }


def test_many_vectors_go_in_batches(vectors: Vectors) -> None:
    assert _call(vectors, "batches")["answer"] == 250


def test_indexes_are_listed_as_far_as_the_key_goes(vectors: Vectors) -> None:
    assert _call(vectors, "indexes")["answer"] == ["near-by", "papers"]
    assert _call(vectors, "indexes", key="mine")["answer"] == ["near-by", "papers", "private"]


def test_an_index_is_described(vectors: Vectors) -> None:
    host = f"{vectors.url}/v/papers"
    assert _call(vectors, "describe")["answer"] == ["papers", 4, "cosine", True, host]


def test_an_index_is_made_and_deleted_as_an_object(vectors: Vectors) -> None:
    for call in ("create", "remove"):
        found = _call(vectors, call)
        assert found["status"] == 405
        assert "VectorCollection" in found["message"]
        assert "kubectl apply" in found["message"]


def test_an_error_reaches_the_user_in_words(vectors: Vectors) -> None:
    found = _call(vectors, "dimension")
    assert found["status"] == 400
    assert "dimension 2 does not match the dimension of the index 4" in found["message"]


def test_a_key_opens_its_index(vectors: Vectors) -> None:
    assert _call(vectors, "query", key="wrong", index="private")["status"] == 401
    assert "answer" in _call(vectors, "query", key="mine", index="private")


def test_an_index_that_is_not_there_is_not_found(vectors: Vectors) -> None:
    found = _call(vectors, "query", index="nowhere")
    assert found["status"] == 404
    assert "nowhere" in found["message"]
