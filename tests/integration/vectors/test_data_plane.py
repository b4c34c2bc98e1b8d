"""What is written is read as it was sent, by every way to it."""

from typing import Any

import pytest

from tests.integration.parts.vectors import Vectors

RECORDS: list[dict[str, Any]] = [
    {"id": "attention", "values": [1, 0, 0, 0], "metadata": {"year": 2017, "venue": "NeurIPS", "tags": ["nlp"]}},
    {"id": "adam", "values": [0.9, 0.1, 0, 0], "metadata": {"year": 2015.0, "venue": "ICLR", "cited": 1e5}},
    {"id": "bert", "values": [0, 1, 0, 0], "metadata": {"year": 2019, "open": True, "note": 'é " \\ \n'}},
    {"id": "bare", "values": [0, 0, 1, 0]},
]


@pytest.fixture
def filled(vectors: Vectors, namespace: str) -> str:
    """A namespace with the records, once they are seen."""
    answer = vectors.post("/vectors/upsert", {"vectors": RECORDS, "namespace": namespace})
    assert answer.json() == {"upsertedCount": 4}
    vectors.until("the records", lambda: len(_query(vectors, namespace, vector=[1, 1, 1, 1])) == len(RECORDS))
    return namespace


def _ids(vectors: Vectors, namespace: str, **parameters: str) -> list[str]:
    answer = vectors.get("/vectors/list", params={"namespace": namespace, **parameters})
    return [vector["id"] for vector in answer.json()["vectors"]]


def _query(vectors: Vectors, namespace: str, **body: object) -> list[str]:
    answer = vectors.post("/query", {"namespace": namespace, "topK": 10, **body})
    assert answer.status_code == 200, answer.text
    return [match["id"] for match in answer.json()["matches"]]


def test_the_nearest_come_first(vectors: Vectors, filled: str) -> None:
    assert _query(vectors, filled, vector=[1, 0, 0, 0], topK=2) == ["attention", "adam"]


def test_a_match_holds_what_is_asked_for(vectors: Vectors, filled: str) -> None:
    body = {"namespace": filled, "topK": 1, "vector": [2, 0, 0, 0]}
    (bare,) = vectors.post("/query", body).json()["matches"]
    assert bare == {"id": "attention", "score": pytest.approx(1)}
    (whole,) = vectors.post("/query", {**body, "includeValues": True, "includeMetadata": True}).json()["matches"]
    assert whole == {**RECORDS[0], "score": pytest.approx(1)}


def test_a_query_by_id_asks_with_that_vector(vectors: Vectors, filled: str) -> None:
    assert _query(vectors, filled, id="bert", topK=1) == ["bert"]
    assert _query(vectors, filled, id="nobody") == []


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ({"year": {"$gte": 2016.5}}, {"attention", "bert"}),
        ({"year": 2015}, {"adam"}),
        ({"venue": {"$ne": "ICLR"}}, {"attention"}),
        ({"tags": "nlp"}, {"attention"}),
        ({"open": True}, {"bert"}),
        ({"note": {"$in": ['é " \\ \n']}}, {"bert"}),
        ({"cited": {"$exists": False}, "year": {"$exists": True}}, {"attention", "bert"}),
        ({"$or": [{"venue": "ICLR"}, {"open": {"$eq": True}}]}, {"adam", "bert"}),
        ({}, {"attention", "adam", "bert", "bare"}),
    ],
)
def test_a_filter_finds(vectors: Vectors, filled: str, filter_: dict[str, object], found: set[str]) -> None:
    assert set(_query(vectors, filled, vector=[1, 1, 1, 1], filter=filter_)) == found


def test_a_fetch_gives_what_was_sent(vectors: Vectors, filled: str) -> None:
    answer = vectors.get("/vectors/fetch", params={"ids": ["adam", "bare", "nobody"], "namespace": filled}).json()
    assert set(answer["vectors"]) == {"adam", "bare"}
    assert answer["vectors"]["adam"]["metadata"] == RECORDS[1]["metadata"]
    assert answer["vectors"]["adam"]["values"] == pytest.approx(RECORDS[1]["values"])
    assert "metadata" not in answer["vectors"]["bare"]


def test_a_fetch_by_metadata_goes_page_by_page(vectors: Vectors, filled: str) -> None:
    body = {"namespace": filled, "filter": {"year": {"$gt": 2000}}, "limit": 2}
    first = vectors.post("/vectors/fetch_by_metadata", body).json()
    assert list(first["vectors"]) == ["adam", "attention"]
    second = vectors.post("/vectors/fetch_by_metadata", {**body, "paginationToken": first["pagination"]["next"]}).json()
    assert list(second["vectors"]) == ["bert"]
    assert "pagination" not in second


def test_a_list_is_in_order_and_paged(vectors: Vectors, filled: str) -> None:
    first = vectors.get("/vectors/list", params={"namespace": filled, "limit": 3}).json()
    assert [vector["id"] for vector in first["vectors"]] == ["adam", "attention", "bare"]
    assert _ids(vectors, filled, limit="3", paginationToken=first["pagination"]["next"]) == ["bert"]
    assert _ids(vectors, filled, prefix="a") == ["adam", "attention"]


def test_an_update_merges_metadata_and_replaces_values(vectors: Vectors, filled: str) -> None:
    body: dict[str, Any] = {
        "id": "adam",
        "namespace": filled,
        "setMetadata": {"venue": "ICLR 2015", "award": "test of time"},
    }
    assert vectors.post("/vectors/update", body).status_code == 200
    vectors.post("/vectors/update", {"id": "adam", "namespace": filled, "values": [0, 0, 0, 1]})
    metadata = RECORDS[1]["metadata"]

    def fetched() -> object:
        return vectors.get("/vectors/fetch", params={"ids": "adam", "namespace": filled}).json()["vectors"]["adam"]

    wanted = {"id": "adam", "values": [0, 0, 0, 1], "metadata": {**metadata, **body["setMetadata"]}}
    vectors.until("both updates", lambda: fetched() == wanted)
    assert _query(vectors, filled, vector=[1, 1, 1, 1], filter={"venue": "ICLR 2015"}) == ["adam"]


def test_an_update_of_nobody_makes_nobody(vectors: Vectors, filled: str) -> None:
    body = {"id": "nobody", "namespace": filled, "setMetadata": {"a": 1}}
    assert vectors.post("/vectors/update", body).json() == {"matchedRecords": 0}


def test_an_update_by_filter_changes_all_that_it_finds(vectors: Vectors, filled: str) -> None:
    body = {"filter": {"year": {"$gte": 2017}}, "namespace": filled, "setMetadata": {"recent": True}}
    assert vectors.post("/vectors/update", {**body, "dryRun": True}).json() == {"matchedRecords": 2}
    assert vectors.post("/vectors/update", body).json() == {"matchedRecords": 2}
    vectors.until(
        "the update",
        lambda: set(_query(vectors, filled, vector=[1, 1, 1, 1], filter={"recent": True})) == {"attention", "bert"},
    )


@pytest.mark.parametrize(
    ("what", "left"),
    [
        ({"ids": ["adam", "nobody"]}, ["attention", "bare", "bert"]),
        ({"filter": {"year": {"$lt": 2018}}}, ["bare", "bert"]),
        ({"deleteAll": True}, []),
    ],
)
def test_what_is_deleted_is_gone(vectors: Vectors, filled: str, what: dict[str, object], left: list[str]) -> None:
    assert vectors.post("/vectors/delete", {**what, "namespace": filled}).json() == {}
    assert _ids(vectors, filled) == left
    vectors.until(f"{left} to be left", lambda: sorted(_query(vectors, filled, vector=[1, 1, 1, 1])) == left)


def test_of_one_id_sent_twice_the_last_stays(vectors: Vectors, namespace: str) -> None:
    twice = [{"id": "a", "values": [1, 0, 0, value], "metadata": {"n": value}} for value in (1, 2)]
    assert vectors.post("/vectors/upsert", {"vectors": twice, "namespace": namespace}).json() == {"upsertedCount": 1}
    assert _ids(vectors, namespace) == ["a"]
    vectors.until("it", lambda: _query(vectors, namespace, vector=[1, 1, 1, 1]) == ["a"])
    answer = vectors.get("/vectors/fetch", params={"ids": "a", "namespace": namespace}).json()
    assert answer["vectors"]["a"]["metadata"] == {"n": 2}


def test_a_list_holds_what_was_acknowledged_and_nothing_that_was_deleted(vectors: Vectors, namespace: str) -> None:
    for number in range(20):
        sent = {"vectors": [{"id": f"{number}", "values": [1, 0, 0, 0]}], "namespace": namespace}
        assert vectors.post("/vectors/upsert", sent).status_code == 200
        assert _ids(vectors, namespace) == [f"{number}"]
        assert vectors.post("/vectors/delete", {"ids": [f"{number}"], "namespace": namespace}).status_code == 200
        assert _ids(vectors, namespace) == []


def test_stats_count_by_namespace(vectors: Vectors, filled: str) -> None:
    stats = vectors.post("/describe_index_stats", {}).json()
    assert (stats["dimension"], stats["metric"], stats["vectorType"]) == (4, "cosine", "dense")
    assert stats["namespaces"][filled] == {"vectorCount": 4}
    assert stats["totalVectorCount"] == sum(entry["vectorCount"] for entry in stats["namespaces"].values())
    filtered = vectors.post("/describe_index_stats", {"filter": {"year": {"$gte": 2017}}}).json()
    assert filtered["namespaces"][filled] == {"vectorCount": 2}


@pytest.mark.parametrize(("collection", "score"), [("near-by", 4.0)])
def test_scores_are_of_the_metric(vectors: Vectors, namespace: str, collection: str, score: float) -> None:
    body = {"vectors": [{"id": "a", "values": [1, 0, 0, 0]}, {"id": "zero", "values": [0] * 4}], "namespace": namespace}
    assert vectors.post("/vectors/upsert", body, collection).status_code == 200
    query = {"vector": [3, 0, 0, 0], "topK": 2, "namespace": namespace}
    vectors.until("both", lambda: len(vectors.post("/query", query, collection).json()["matches"]) == 2)
    first = vectors.post("/query", query, collection).json()["matches"][0]
    assert first == {"id": "a", "score": score}


def test_the_namespace_without_a_name_is_the_default_one(vectors: Vectors) -> None:
    vectors.post("/vectors/upsert", {"vectors": [{"id": "a", "values": [1, 0, 0, 0]}]}, "near-by")
    assert vectors.get("/vectors/list", "near-by").json()["vectors"] == [{"id": "a"}]
    assert vectors.get("/vectors/list", "near-by", params={"namespace": "__default__"}).json()["vectors"] == [
        {"id": "a"}
    ]
    assert "__default__" in vectors.post("/describe_index_stats", {}, "near-by").json()["namespaces"]
