"""Who may ask for what, and in which shape the refusals are."""

import json

import httpx2
import pytest

from tests.integration.parts.vectors import AGENT_PORT, PROBE_TOKEN, Vectors
from tests.integration.vectors.conftest import PAPERS, PRIVATE
from workloads.edge.document import PROBE_TOKEN_HEADER, token_hash
from workloads.vectors.config import Collection

QUERY = {"vector": [1, 1, 1, 1], "topK": 1}
PROBE = {PROBE_TOKEN_HEADER: PROBE_TOKEN}
OTHER = Collection("other", 4, "cosine", tokens=(token_hash("of-the-other"),))


@pytest.fixture
def guarded(vectors: Vectors) -> Vectors:
    vectors.declare(PAPERS, PRIVATE, OTHER)
    vectors.until("the other", lambda: vectors.post("/query", QUERY, "other").status_code == 401)
    return vectors


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, 16),
        ({"api-key": "wrong"}, 401, 16),
        ({"api-key": "of-the-other"}, 403, 7),
        ({"authorization": "Bearer mine"}, 401, 16),
        ({PROBE_TOKEN_HEADER: "wrong", "api-key": "mine"}, 401, 16),
    ],
)
def test_a_key_is_for_its_collection(guarded: Vectors, headers: dict[str, str], status: int, code: int) -> None:
    answer = guarded.post("/query", QUERY, "private", headers=headers)
    assert answer.status_code == status
    assert answer.json() == {"code": code, "message": answer.json()["message"], "details": []}
    described = httpx2.get(f"{guarded.url}/indexes/private", headers=headers)
    assert described.status_code == status
    assert set(described.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize("headers", [{"api-key": "mine"}, PROBE])
def test_the_right_key_and_the_operators_token_pass(guarded: Vectors, headers: dict[str, str]) -> None:
    assert guarded.post("/query", QUERY, "private", headers=headers).status_code == 200


def test_the_operators_namespaces_are_its_own_and_hidden(vectors: Vectors) -> None:
    body = {"vectors": [{"id": "a", "values": [1, 0, 0, 0]}], "namespace": "__homespun-probe"}
    assert vectors.post("/vectors/upsert", body).status_code == 403
    assert vectors.post("/vectors/upsert", body, headers=PROBE).status_code == 200
    query = {**QUERY, "namespace": "__homespun-probe"}
    vectors.until("it", lambda: vectors.post("/query", query, headers=PROBE).json()["matches"])
    assert vectors.post("/query", query).status_code == 403
    for path in ("/vectors/list", "/vectors/fetch"):
        assert vectors.get(path, params={"ids": "a", "namespace": "__homespun-probe"}).status_code == 403
    assert vectors.get("/namespaces/__homespun-probe").status_code == 403
    assert "__homespun" not in vectors.post("/describe_index_stats", {}).text + vectors.get("/namespaces").text


def test_the_state_of_the_agents_is_the_operators_alone(vectors: Vectors) -> None:
    assert httpx2.get(f"{vectors.url}/-/state").status_code == 401
    vectors.until("the agent", lambda: len(vectors.state()["placements"]) == 3)
    assert {held["server"] for held in vectors.state()["placements"]} == {f"127.0.0.1:{AGENT_PORT}"}


@pytest.mark.parametrize(
    ("version", "shape"),
    [
        ("2026-07", {"schema": {"fields": {"_values": {"type": "dense_vector", "dimension": 4, "metric": "cosine"}}}}),
        ("2025-10", {"dimension": 4, "metric": "cosine", "vector_type": "dense"}),
    ],
)
def test_an_index_is_described_in_the_shape_of_the_version(vectors: Vectors, version: str, shape: object) -> None:
    headers = {"x-pinecone-api-version": version, "host": "gateway.home:8443", "x-forwarded-proto": "https"}
    found = httpx2.get(f"{vectors.url}/indexes/papers", headers=headers).json()
    assert found["host"] == "https://gateway.home:8443/v/papers"
    assert found | shape == found
    listed = httpx2.get(f"{vectors.url}/indexes", headers=headers).json()["indexes"]
    assert found in listed


def test_no_key_and_no_payload_is_in_any_log(guarded: Vectors) -> None:
    private = {"id": "very-private-id", "values": [1, 0, 0, 0], "metadata": {"k": "very private text"}}
    filter_ = {"very private field": "very private text"}
    for key in ("mine", "wrong-token"):
        headers = {"api-key": key}
        guarded.post("/vectors/upsert", {"vectors": [private]}, "private", headers=headers)
        guarded.post("/vectors/upsert", {"vectors": [{**private, "values": [1]}]}, "private", headers=headers)
        guarded.post("/query", {**QUERY, "filter": filter_}, "private", headers=headers)
        guarded.post("/query", {**QUERY, "filter": {"k": {"$eq": ["very private text"]}}}, "private", headers=headers)
        guarded.get("/vectors/fetch", "private", params={"ids": "very-private-id"}, headers=headers)
    text = guarded.gateway.log.read_text()
    for secret in ("very private", "very-private", "wrong-token", PROBE_TOKEN, "mine"):
        assert secret not in text, secret
    assert all(json.loads(line) for line in text.splitlines())
