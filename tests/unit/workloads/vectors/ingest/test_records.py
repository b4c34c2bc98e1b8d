"""A line becomes a record, or is put aside with its reason."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.workloads.vectors.test_ingestion import INGESTION
from workloads.vectors.config import Field
from workloads.vectors.ingest.records import Quarantined, Record, check, normalise

SETTINGS = replace(
    INGESTION, fields=(Field("year", "int"), Field("venue", "string"), Field("tags", "stringList"), Field("ok", "bool"))
)
GOOD: dict[str, Any] = {"id": "a", "title": "One", "summary": "Two", "year": 2017}


def checked(document: Any) -> Record | Quarantined | None:
    return check(json.dumps(document).encode(), "f.jsonl", SETTINGS)


def test_a_good_line_becomes_a_record_with_all_but_the_id_as_metadata() -> None:
    found = checked({**GOOD, "note": None, "pages": 12.5})
    metadata = {"title": "One", "summary": "Two", "year": 2017, "pages": 12.5}
    assert found == Record("a", "One. Two", metadata, "f.jsonl")


def test_what_looks_the_same_is_the_same() -> None:
    assert normalise("Cafe\u0301\u00a0 au\n\tlait\x07\ud800 ") == "Café au lait"
    one, other = checked({**GOOD, "title": "Cafe\u0301  au lait"}), checked({**GOOD, "title": " Café au\nlait"})
    assert one == other


def test_a_whole_number_is_an_id_and_a_blank_line_is_nothing() -> None:
    found = checked({**GOOD, "id": 7})
    assert isinstance(found, Record)
    assert found.id == "7"
    assert check(b"  \r\n", "f.jsonl", SETTINGS) is None


def test_a_whole_float_is_taken_for_a_declared_int() -> None:
    found = checked({**GOOD, "year": 2017.0})
    assert isinstance(found, Record)
    assert type(found.metadata["year"]) is int


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "id: expected a text or a whole number as id, got nothing"),
        ({"id": ""}, "id: expected"),
        ({"id": "ä"}, "id: expected at most 512 ASCII characters"),
        ({"id": "x" * 513}, "id: expected at most 512"),
        ({"id": True}, "id: expected"),
        ({"title": "  "}, 'title: expected a text to embed, got ""'),
        ({"summary": None}, "summary: expected a text to embed, got nothing"),
        ({"title": ["a"]}, "title: expected a text to embed"),
        ({"year": "2017"}, 'year: expected a value of type int, got "2017"'),
        ({"year": 2017.5}, "year: expected a whole number"),
        ({"year": True}, "year: expected a value of type int"),
        ({"year": 2**53 + 1}, "year: expected a whole number of at most 2^53"),
        ({"venue": 3}, "venue: expected a value of type string"),
        ({"venue": "x" * 5000}, "venue: expected at most 4096 bytes in a declared field, got 5000"),
        ({"tags": "nlp"}, "tags: expected a value of type stringList"),
        ({"tags": ["a", 1]}, "tags: expected a value of type stringList"),
        ({"tags": ["a"] * 257}, "tags: expected at most 256 texts"),
        ({"ok": 1}, "ok: expected a value of type bool"),
        ({"more": {"a": 1}}, "more: expected a text, a number, true, false or a list of texts"),
        ({"more": [1]}, "more: expected"),
        ({"more": "x" * 41_000}, "expected at most 40960 bytes of fields"),
        ({"$more": 1}, "begin with no $"),
        ({"": 1}, "not empty"),
    ],
)
def test_a_bad_field_is_named_with_what_was_found(change: dict[str, Any], reason: str) -> None:
    found = checked({**GOOD, **change})
    assert isinstance(found, Quarantined)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "a"', "not JSON"),
        (b"[1]", "expected a JSON object"),
        (b"\xff\xfe{}", "not JSON"),
        (b'{"id": "a", "title": "x", "summary": "y", "n": NaN}', "expected JSON numbers, got NaN"),
        (b'{"id": "a", "title": "x", "summary": "y", "n": 1e999}', "fits into 64 bits"),
        (b'{"id": "a", "title": "\\ud800", "summary": "y"}', "title: expected a text to embed"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_line_that_is_no_record_is_told_from_one_that_is_bad(line: bytes, reason: str) -> None:
    found = check(line, "f.jsonl", SETTINGS)
    assert isinstance(found, Quarantined)
    assert reason in found.reason
    assert json.loads(found.render())["file"] == "f.jsonl"


def test_the_digest_changes_with_what_the_vector_would_be() -> None:
    one, other = checked(GOOD), checked({**GOOD, "year": 2018})
    assert isinstance(one, Record)
    assert isinstance(other, Record)
    assert one.digest("r1") == replace(one, file="g.jsonl").digest("r1")
    assert len({one.digest("r1"), one.digest("r2"), other.digest("r1")}) == 3
