"""A filter finds exactly what it means: random records and filters, on the real Milvus, against a plain oracle."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.parts.vectors import Vectors
from tests.integration.vectors.oracle import holds

STRINGS = st.sampled_from(
    ["", "a", "ICML", "é", 'a"b', "a\\b", "a\nb", "%", "_", "' or 1 == 1", "\x01", "𝄞", "true", "5"]
)
NUMBERS = st.sampled_from([-(2**53), -1, -0.5, 0, 1, 5, 5.0, 2016, 2016.5, 2**53, 1e300, 1e-300])
INTS = st.sampled_from([-(2**53), -1, 0, 5, 5.0, 2016, 2017, 2**53])
LISTS = st.lists(STRINGS, max_size=3)
ANY = st.one_of(STRINGS, NUMBERS, st.booleans(), LISTS)
UNDECLARED = ["k", "with space", "a/b", "a~b", "a.b", "é", "0", "metadata"]
FIELDS: dict[str, Any] = {
    "year": INTS,
    "venue": STRINGS,
    "tags": LISTS,
    "score": NUMBERS,
    "open": st.booleans(),
    **dict.fromkeys(UNDECLARED, ANY),
}
METADATA = st.fixed_dictionaries({}, optional=FIELDS)
SCALARS = st.one_of(STRINGS, NUMBERS, st.booleans())
CONDITIONS = st.one_of(
    SCALARS,
    st.dictionaries(st.sampled_from(["$eq", "$ne"]), SCALARS, min_size=1),
    st.dictionaries(st.sampled_from(["$in", "$nin"]), st.lists(SCALARS, max_size=3), min_size=1),
    st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), NUMBERS, min_size=1),
    st.fixed_dictionaries({"$exists": st.booleans()}),
)
TERMS = st.dictionaries(st.sampled_from(sorted(FIELDS)), CONDITIONS, min_size=1, max_size=2)
FILTERS = st.recursive(
    TERMS,
    lambda parts: st.dictionaries(
        st.sampled_from(["$and", "$or"]), st.lists(parts, min_size=1, max_size=3), min_size=1, max_size=1
    ),
    max_leaves=6,
)
COUNTER = itertools.count()


def _each(*values: Any) -> tuple[Any, ...]:
    """Values of many types."""
    return values


HOSTILE: list[Any] = [
    *[
        {name: "a"}
        for name in _each(
            "", "$where", "$eval", "$", "$and ", "a\0b", 'a"] == 1 or metadata["b', "a][b", "\\", "'", "\n"
        )
    ],
    *[
        {"k": value}
        for value in _each(None, [], ["a"], {}, {"a": 1}, {"$regex": "a"}, {"$eq": None}, {"$gt": "a"}, {"$gt": True})
    ],
    *[{"k": {"$in": value}} for value in _each(None, "a", [None], [["a"]], [{}], ["a\0"])],
    *[{name: value} for name in _each("$and", "$or") for value in _each(None, [], {}, "a", [1], [{}], [[]])],
    {"k": {"$eq": 1, "$where": "a"}},
    {"k": {"$exists": 1}},
    {"k": {"$in": ["a"] * 10_001}},
    {"$or": [{"k": number} for number in range(1001)]},
    "k == 1",
    ["k"],
    1,
]


def _nested(depth: int) -> dict[str, Any]:
    filter_: dict[str, Any] = {"k": 1}
    for _ in range(depth):
        filter_ = {"$and": [filter_]}
    return filter_


def _found(vectors: Vectors, namespace: str, filter_: Any) -> set[str]:
    body = {"namespace": namespace, "topK": 100, "vector": [1, 1, 1, 1], "filter": filter_}
    answer = vectors.post("/query", body)
    assert answer.status_code == 200, (filter_, answer.text)
    return {match["id"] for match in answer.json()["matches"]}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(METADATA, min_size=1, max_size=12), st.lists(FILTERS, min_size=1, max_size=12))
def test_what_is_found_is_what_the_filter_means(
    vectors: Vectors, records: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> None:
    namespace = f"filters-{next(COUNTER)}"
    sent = [{"id": str(index), "values": [1, 1, 1, 1], "metadata": metadata} for index, metadata in enumerate(records)]
    assert vectors.post("/vectors/upsert", {"vectors": sent, "namespace": namespace}).status_code == 200
    vectors.until("the records", lambda: len(_found(vectors, namespace, None)) == len(records))
    for filter_ in filters:
        expected = {str(index) for index, metadata in enumerate(records) if holds(filter_, metadata)}
        assert _found(vectors, namespace, filter_) == expected, (filter_, records)


@pytest.mark.parametrize("filter_", [*HOSTILE, _nested(9), _nested(400)], ids=lambda filter_: ascii(filter_)[:40])
def test_what_is_no_filter_is_refused(vectors: Vectors, filter_: Any) -> None:
    answer = vectors.post("/query", {"topK": 1, "vector": [1, 1, 1, 1], "filter": filter_})
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == 3
    assert answer.json()["message"].startswith(("filter", "body"))


def test_the_largest_filters_are_answered(vectors: Vectors) -> None:
    for filter_ in (
        _nested(8),
        {"k": {"$in": [f"value {number}" for number in range(10_000)]}},
        {"year": {"$nin": list(range(10_000))}},
        {"$or": [{"k": {"$ne": number}} for number in range(1000)]},
        {"$and": [{"venue": {"$ne": str(number)}} for number in range(1000)]},
    ):
        assert _found(vectors, "empty", filter_) == set()


def test_hostile_strings_are_strings(vectors: Vectors, namespace: str) -> None:
    texts = [
        *(chr(code) for code in (*range(1, 0x100), 0x2028, 0xFEFF, 0x1F600)),
        *("\\" * n + '"' * m for n in range(3) for m in range(3)),
        '" or pk != ""', "\\x00", "\\u0000", "{x}", "%s", "a" * 4000, "$ne", "]", '"]', "null", "-1", "\\n", "𝄞" * 1000,
    ]  # fmt: skip
    texts = list(dict.fromkeys(texts))
    sent = [
        {"id": str(index), "values": [1, 1, 1, 1], "metadata": {"venue": text, "tags": [text], "k": text, "l": [text]}}
        for index, text in enumerate(texts)
    ]
    assert vectors.post("/vectors/upsert", {"vectors": sent, "namespace": namespace}).status_code == 200
    count = {"vector": [1, 1, 1, 1], "topK": 1000, "namespace": namespace}
    vectors.until("all", lambda: len(vectors.post("/query", count).json()["matches"]) == len(texts))
    for field in ("venue", "tags", "k", "l"):
        for index, text in enumerate(texts):
            assert _found(vectors, namespace, {field: text}) == {str(index)}, (field, text)
