"""Filters become expressions that say the same, or are refused."""

from typing import Any

import pytest

from workloads.edge.errors import InvalidRequest
from workloads.vectors import filters
from workloads.vectors.filters import AnyOf, Both, Columns, Compare, Either, Exists, NoneOf, Operator

COLUMNS = Columns({"year": "int", "venue": "string", "tags": "stringList", "score": "float", "open": "bool"})


@pytest.mark.parametrize(
    ("document", "filter_"),
    [
        ({"k": "a"}, AnyOf("k", ("a",))),
        ({"k": {"$in": ["a", 1, True]}}, AnyOf("k", ("a", 1, True))),
        ({"k": {"$nin": []}}, NoneOf("k", ())),
        ({"k": {"$gte": 1, "$lt": 2}}, Both((Compare("k", Operator.GTE, 1), Compare("k", Operator.LT, 2)))),
        ({"$or": [{"a": 1}, {"b": {"$exists": False}}]}, Either((AnyOf("a", (1,)), Exists("b", False)))),
    ],
)
def test_a_filter_is_read(document: Any, filter_: filters.Filter) -> None:
    assert filters.read(document) == filter_


@pytest.mark.parametrize(
    ("document", "expression"),
    [
        ({"year": 2016.0}, "f_year in [2016]"),
        ({"year": 2016.5}, filters.NOTHING),
        ({"year": "2016"}, filters.NOTHING),
        ({"year": {"$gt": 2016.5}}, "((f_year > 2016) and (f_year >= -9007199254740992))"),
        ({"year": {"$gte": 2016.5}}, "((f_year >= 2017) and (f_year >= -9007199254740992))"),
        ({"year": {"$lt": 2016.5}}, "((f_year < 2017) and (f_year >= -9007199254740992))"),
        ({"year": {"$lte": 1e300}}, "((f_year <= 9007199254740993) and (f_year >= -9007199254740992))"),
        ({"venue": {"$ne": 'a"b'}}, '((f_venue != "\\x00") and (not (f_venue in ["a\\"b"])))'),
        ({"tags": "nlp"}, 'array_contains_any(f_tags, ["nlp"])'),
        ({"score": 1}, "f_score in [1.0]"),
        ({"open": True}, "f_open in [1]"),
        ({"k": 1}, '(metadata["k"] in [1.0])'),
        ({"k": {"$exists": False}}, 'not ((exists metadata["k"]))'),
        ({"k": {"$lt": 1}}, 'metadata["k"] < 1.0'),
    ],
)
def test_a_filter_is_written(document: Any, expression: str) -> None:
    assert COLUMNS.expression(filters.read(document)) == expression


@pytest.mark.parametrize("name", ['a"', "a\\", "a[0]", "a\n"])
def test_a_name_that_can_not_be_a_key_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="declare the field, or rename it"):
        COLUMNS.expression(filters.read({name: 1}))


@pytest.mark.parametrize(
    "document", [{}, {"$not": {}}, {"k": None}, {"k": {"$gt": "a"}}, {"$and": []}, {"k": float("inf")}]
)
def test_what_is_no_filter_is_refused(document: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^filter"):
        filters.read(document)


def test_a_long_chain_is_not_deep() -> None:
    expression = COLUMNS.expression(filters.read({"$or": [{"k": number} for number in range(1000)]}))
    depth = deepest = 0
    for character in expression:
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    assert deepest < 16
