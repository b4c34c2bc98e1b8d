"""Namespaces keep apart what is in them."""

import itertools
import uuid
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.parts.vectors import Vectors
from workloads.vectors.layout import partition

COUNTER = itertools.count()
LARGE = 8000
"""Vectors; from 4,992 on Milvus may look for them in clusters."""
NAMES = ["a", "ab", "1:a", 'a" or pk != "', "a%", "__default__x", "A"]
"""Of which pairs would meet if keys, partitions or expressions were put together carelessly."""


def _upsert(vectors: Vectors, namespace: str, ids: set[str]) -> None:
    sent = [{"id": id_, "values": [1, 0, 0, 0], "metadata": {"of": namespace}} for id_ in sorted(ids)]
    assert vectors.post("/vectors/upsert", {"vectors": sent, "namespace": namespace}).status_code == 200


def _listed(vectors: Vectors, namespace: str) -> set[str]:
    answer = vectors.get("/vectors/list", params={"namespace": namespace})
    return {vector["id"] for vector in answer.json()["vectors"]}


IDS = st.sets(st.sampled_from(["a", "b", "ab", "ba", "1:a"]), min_size=1)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(NAMES), IDS, min_size=2, max_size=4), st.data())
def test_what_is_done_in_one_touches_no_other(
    vectors: Vectors, spaces: dict[str, set[str]], data: st.DataObject
) -> None:
    run = f"{next(COUNTER)}-"
    spaces = {run + name: ids for name, ids in spaces.items()}
    for name, ids in spaces.items():
        _upsert(vectors, name, ids)
    for name, ids in spaces.items():
        assert _listed(vectors, name) == ids
        query = {"vector": [1, 0, 0, 0], "topK": 100, "namespace": name, "includeMetadata": True}

        def matches(query: dict[str, Any] = query) -> list[Any]:
            return list(vectors.post("/query", query).json()["matches"])

        vectors.until(name, lambda ids=ids, matches=matches: {one["id"] for one in matches()} == ids)  # type: ignore[misc]
        assert {match["metadata"]["of"] for match in matches()} == {name}
    target = data.draw(st.sampled_from(sorted(spaces)))
    how: dict[str, Any] = data.draw(
        st.sampled_from(
            [{"deleteAll": True}, {"filter": {"of": {"$exists": True}}}, {"ids": ["a", "b", "ab", "ba", "1:a"]}]
        )
    )
    assert vectors.post("/vectors/delete", {**how, "namespace": target}).status_code == 200
    for name, ids in spaces.items():
        assert _listed(vectors, name) == (set() if name == target else ids)


def test_a_namespace_is_made_once_described_and_deleted(vectors: Vectors, namespace: str) -> None:
    assert vectors.get(f"/namespaces/{namespace}").status_code == 404
    made = vectors.post("/namespaces", {"name": namespace})
    assert made.json() == {"name": namespace, "record_count": 0}
    assert vectors.post("/namespaces", {"name": namespace}).status_code == 409
    assert vectors.post("/namespaces", {"name": "__default__"}).status_code == 400
    _upsert(vectors, namespace, {"a"})
    vectors.until("its vector", lambda: vectors.get(f"/namespaces/{namespace}").json()["record_count"] == 1)
    page = vectors.get("/namespaces", params={"prefix": namespace, "limit": 1}).json()
    assert page == {"namespaces": [{"name": namespace, "record_count": 1}], "total_count": 1}
    assert vectors.http.delete(f"{vectors.url}/v/papers/namespaces/{namespace}").status_code == 200
    assert vectors.get(f"/namespaces/{namespace}").status_code == 404


def test_a_small_namespace_beside_a_large_one_of_its_partition_is_found_whole(vectors: Vectors) -> None:
    large = f"large-{uuid.uuid4().hex}"
    small = next(name for name in map("small-{}".format, itertools.count()) if partition(name) == partition(large))
    for start in range(0, LARGE, 1000):
        sent = [{"id": str(number), "values": [1, 0, 0, 0]} for number in range(start, start + 1000)]
        assert vectors.post("/vectors/upsert", {"vectors": sent, "namespace": large}).status_code == 200
    sent = [{"id": str(number), "values": [1, 1, 1, 1]} for number in range(10)]
    assert vectors.post("/vectors/upsert", {"vectors": sent, "namespace": small}).status_code == 200
    body = {"namespace": small, "topK": 10, "vector": [1, 1, 1, 1]}
    vectors.until("all ten", lambda: len(vectors.post("/query", body).json()["matches"]) == len(sent))
