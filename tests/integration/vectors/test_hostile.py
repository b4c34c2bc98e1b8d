"""Whatever is sent, it gets a 4xx in Pinecone's shape, and the next honest request is answered."""

import gzip
import json
from typing import Any

import httpx2
import pytest

from tests.integration.parts.vectors import Vectors

GOOD = {"id": "a", "values": [1, 0, 0, 0]}
BIG = [1, 0, 0]


def _upsert(**fields: Any) -> dict[str, Any]:
    return {"vectors": [{**GOOD, **fields}]}


def _each(*values: Any) -> tuple[Any, ...]:
    """Values of many types."""
    return values


REFUSED: list[tuple[str, Any]] = [
    ("/vectors/upsert", {}),
    ("/vectors/upsert", {"vectors": []}),
    ("/vectors/upsert", {"vectors": [GOOD] * 1001}),
    ("/vectors/upsert", {"vectors": ["a"]}),
    *[("/vectors/upsert", _upsert(id=id_)) for id_ in _each("", "é", "a\0", "a" * 513, 1, None)],
    *[
        ("/vectors/upsert", _upsert(values=v))
        for v in _each([1], [0] * 4, [*BIG, "1"], [*BIG, None], [*BIG, True], [*BIG, 1e39], "a")
    ],
    *[
        ("/vectors/upsert", _upsert(metadata=m))
        for m in _each([1], {"k": None}, {"k": {}}, {"k": [1]}, {"$k": 1}, {"": 1}, {"k": "a\0"})
    ],
    *[("/vectors/upsert", _upsert(metadata=m)) for m in _each({"k": "a" * 41_000}, {"k": 2**53 + 1})],
    *[
        ("/vectors/upsert", _upsert(metadata=m))
        for m in _each({"year": "2016"}, {"year": 1.5}, {"tags": "a"}, {"venue": 1}, {"open": 1})
    ],
    ("/vectors/upsert", _upsert(sparseValues={"indices": [1], "values": [1]})),
    *[("/vectors/upsert", {**_upsert(), "namespace": name}) for name in _each("é", "a" * 513, 1, ["a"])],
    *[("/query", {"vector": [1] * 4, "topK": k}) for k in _each(0, 10_001, "1", None, True, 1.5)],
    *[
        ("/query", {"topK": 1, **body})
        for body in _each({}, {"vector": [1] * 4, "id": "a"}, {"vector": [1]}, {"vector": [0] * 4})
    ],
    ("/query", {"topK": 1, "vector": [1] * 4, "includeValues": "yes"}),
    ("/query", {"topK": 1, "queries": [{"values": [1] * 4}]}),
    *[
        ("/vectors/delete", body)
        for body in _each({}, {"filter": {}}, {"ids": ["a"], "deleteAll": True}, {"ids": ["a"] * 1001})
    ],
    *[
        ("/vectors/update", body)
        for body in _each(
            {}, {"id": "a"}, {"filter": {}, "setMetadata": {"a": 1}}, {"id": "a", "setMetadata": {"year": "x"}}
        )
    ],
    *[
        ("/vectors/fetch_by_metadata", body)
        for body in _each(
            {}, {"filter": {}}, {"filter": {"a": 1}, "limit": 0}, {"filter": {"a": 1}, "paginationToken": "%"}
        )
    ],
    ("/namespaces", {"name": "é"}),
]


@pytest.mark.parametrize(("path", "body"), REFUSED, ids=lambda value: ascii(value)[:60])
def test_what_breaks_a_limit_is_refused(vectors: Vectors, path: str, body: Any) -> None:
    answer = vectors.post(path, body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"code", "message", "details"}
    assert answer.json()["code"] == 3


def test_a_declared_field_of_another_type_is_named(vectors: Vectors) -> None:
    message = vectors.post("/vectors/upsert", _upsert(metadata={"year": "2016"})).json()["message"]
    assert message == (
        "vectors[0].metadata.year: the collection declares this field as a whole number, got another string"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a",
        b"{",
        b"[]",
        b'{"vector": [NaN, 1, 1, 1], "topK": 1}',
        b'{"vector": [1e400, 1, 1, 1], "topK": 1}',
        b"[" * 500_000,
        b'{"a": "\\ud83d"}',
        b'{"a": "\xc3\x28"}',
        b"9" * 100_000,
    ],
    ids=lambda body: ascii(body)[:30],
)
def test_what_is_no_json_is_refused(vectors: Vectors, body: bytes) -> None:
    assert httpx2.post(f"{vectors.url}/v/papers/query", content=body).status_code == 400


def test_a_body_that_is_too_large_or_compressed_is_refused(vectors: Vectors) -> None:
    url = f"{vectors.url}/v/papers/vectors/upsert"
    large = httpx2.post(url, content=b" " * (3 * 2**20))
    assert (large.status_code, large.json()["code"]) == (413, 11)
    bomb = httpx2.post(url, content=gzip.compress(b" " * 10**8), headers={"content-encoding": "gzip"})
    assert bomb.status_code == 415


@pytest.mark.parametrize(
    "parameters", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"prefix": "é"}, {"paginationToken": "é"}]
)
def test_a_list_has_limits(vectors: Vectors, parameters: dict[str, str]) -> None:
    assert vectors.get("/vectors/list", params=parameters).status_code == 400


def test_routes_that_are_not_there_are_told_in_shape(vectors: Vectors) -> None:
    assert vectors.post("/records/namespaces/a/upsert", {}).json()["code"] == 5
    assert vectors.get("/query").json()["code"] == 12
    assert httpx2.get(f"{vectors.url}/backups").json()["error"]["code"] == "NOT_FOUND"


def test_the_gateway_has_seen_no_defect(vectors: Vectors) -> None:
    lines = [json.loads(line) for line in vectors.gateway.log.read_text().splitlines()]
    assert [line for line in lines if line["message"] == "a defect" or line.get("status") == 500] == []
