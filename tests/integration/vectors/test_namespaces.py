"""Namespaces keep apart what is in them."""

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.parts.vectors import Vectors

COUNTER = itertools.count()
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
        vectors.until(name, lambda name=name, ids=ids: _listed(vectors, name) == ids)  # type: ignore[misc]
        query = {"vector": [1, 0, 0, 0], "topK": 100, "namespace": name, "includeMetadata": True}
        matches = vectors.post("/query", query).json()["matches"]
        assert {match["id"] for match in matches} == ids
        assert {match["metadata"]["of"] for match in matches} == {name}
    target = data.draw(st.sampled_from(sorted(spaces)))
    how: dict[str, Any] = data.draw(
        st.sampled_from(
            [{"deleteAll": True}, {"filter": {"of": {"$exists": True}}}, {"ids": ["a", "b", "ab", "ba", "1:a"]}]
        )
    )
    assert vectors.post("/vectors/delete", {**how, "namespace": target}).status_code == 200
    vectors.until("the deletion", lambda: not _listed(vectors, target))
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
