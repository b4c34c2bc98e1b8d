"""Which records stand for others: the same ones in whatever order they come."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.vectors.ingest.duplicates import HASHES, band_rows, later, near, shingles, signature, similarity
from workloads.vectors.ingest.plain import staying
from workloads.vectors.ingest.records import Record

TEXT = (
    "Splits a computation over huge data into map and reduce steps that a system spreads over many machines and"
    " repeats when one of them fails."
)


def record(identity: str, text: str, file: str = "f") -> Record:
    return Record(identity, text, {"text": text}, file)


def ids(records: list[Record], percent: int = 80) -> list[str]:
    return [found.id for found in staying(records, percent)]


def exact(one: str, other: str) -> float:
    return 100 * len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))


def test_of_the_same_text_the_smallest_id_stays_whatever_its_case() -> None:
    assert ids([record("b", TEXT), record("a", TEXT.upper()), record("c", "another text")], 0) == ["a", "c"]


def test_of_one_id_the_record_of_the_last_file_stays() -> None:
    old, new = record("a", "old", "1.jsonl"), record("a", "new", "2.jsonl")
    assert later(old, new) == later(new, old) == new
    assert staying([new, old], 0) == [new]


def test_a_word_changed_is_a_near_duplicate_and_another_text_is_none() -> None:
    changed = TEXT.replace("repeats", "repeated")
    assert exact(TEXT, changed) > 90
    assert ids([record("b", changed), record("a", TEXT), record("c", TEXT[::-1])]) == ["a", "c"]
    assert ids([record("b", changed), record("a", TEXT)], 0) == ["a", "b"]


def test_the_order_of_records_decides_nothing() -> None:
    words = TEXT.split()
    records = [record(f"r{n:02d}", " ".join(words[n % 7 :] + words[: n % 3])) for n in range(30)]
    expected = ids(records)
    for seed in range(5):
        random.Random(seed).shuffle(records)
        assert ids(records) == expected
    assert 1 < len(expected) < 30


def test_each_that_goes_leads_to_one_that_stays() -> None:
    signed = {"a": signature(TEXT), "b": signature(TEXT), "c": signature("nothing alike at all")}
    assert list(near(reversed(list(signed.items())), 80)) == ["b"]


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_has_a_signature_and_equal_texts_equal_ones(one: str, other: str) -> None:
    assert signature(one).shape == (HASHES,)
    assert similarity(signature(one), signature(one)) == 100
    assert (similarity(signature(one), signature(other)) == 100) or one != other


def test_the_estimate_is_close_to_the_truth() -> None:
    words = TEXT.split()
    for cut in range(0, 12, 2):
        other = " ".join(words[cut:])
        assert similarity(signature(TEXT), signature(other)) == pytest.approx(exact(TEXT, other), abs=12)


@pytest.mark.parametrize("percent", [50, 70, 80, 90, 100])
def test_pairs_at_the_threshold_meet(percent: int) -> None:
    rows = band_rows(percent)
    assert 1 - (1 - (percent / 100) ** rows) ** (HASHES // rows) >= 0.99
    assert rows > band_rows(percent - 10)
