"""Bodies of the tasks are read strictly, and answers have the shapes that clients expect."""

from typing import Any

import numpy as np
import pytest

from workloads.edge.errors import InvalidRequest
from workloads.inference.gateway.tasks import MAX_TEXTS, Query, answer, read, refuse_too_long, split

FEATURE, SIMILARITY = "feature-extraction", "sentence-similarity"
PAIR = {"source_sentence": "a", "sentences": ["b", "c"]}


@pytest.mark.parametrize(
    ("task", "body", "query"),
    [
        (FEATURE, {"inputs": "a"}, Query(FEATURE, ("a",), single=True)),
        (FEATURE, {"inputs": ""}, Query(FEATURE, ("",), single=True)),
        (FEATURE, {"inputs": ["a", "b"]}, Query(FEATURE, ("a", "b"))),
        (FEATURE, {"inputs": ["a"], "normalize": True}, Query(FEATURE, ("a",), normalize=True)),
        (FEATURE, {"inputs": ["a"], "parameters": {"normalize": True}}, Query(FEATURE, ("a",), normalize=True)),
        (FEATURE, {"inputs": ["a"], "truncate": False}, Query(FEATURE, ("a",), truncate=False)),
        (FEATURE, {"inputs": ["a"], "truncate": None, "prompt_name": None}, Query(FEATURE, ("a",))),
        (FEATURE, {"inputs": ["a"], "truncation_direction": "right"}, Query(FEATURE, ("a",))),
        (FEATURE, {"inputs": ["a"], "options": {"wait_for_model": True}}, Query(FEATURE, ("a",))),
        (SIMILARITY, {"inputs": PAIR}, Query(SIMILARITY, ("a", "b", "c"))),
        (SIMILARITY, {"inputs": PAIR, "parameters": {}}, Query(SIMILARITY, ("a", "b", "c"))),
    ],
)
def test_a_body_is_read(task: str, body: dict[str, Any], query: Query) -> None:
    assert read(task, body) == query


@pytest.mark.parametrize(
    ("task", "body", "message"),
    [
        (FEATURE, {}, "inputs: expected"),
        (FEATURE, {"inputs": None}, "inputs: expected a list of texts"),
        (FEATURE, {"inputs": []}, "inputs: expected a list of texts"),
        (FEATURE, {"inputs": ["a", 1]}, "inputs: expected a list of texts"),
        (FEATURE, {"inputs": [["a"]]}, "inputs: expected a list of texts"),
        (FEATURE, {"inputs": ["a"] * (MAX_TEXTS + 1)}, "expected at most"),
        (FEATURE, {"inputs": "a", "normalize": "yes"}, "normalize: expected true or false"),
        (FEATURE, {"inputs": "a", "normalize": 1}, "normalize: expected true or false"),
        (FEATURE, {"inputs": "a", "dimensions": 8}, "got dimensions"),
        (FEATURE, {"inputs": "a", "parameters": {"prompt_name": "query"}}, "got prompt_name"),
        (FEATURE, {"inputs": "a", "truncation_direction": "left"}, "truncation_direction"),
        (FEATURE, {"inputs": "a", "parameters": []}, "parameters: expected an object"),
        (FEATURE, {"inputs": "a", "options": 1}, "options: expected an object"),
        (SIMILARITY, {"inputs": "a"}, "source_sentence and sentences"),
        (SIMILARITY, {"inputs": {"source_sentence": "a"}}, "source_sentence and sentences"),
        (SIMILARITY, {"inputs": {**PAIR, "more": 1}}, "source_sentence and sentences"),
        (SIMILARITY, {"inputs": {**PAIR, "sentences": []}}, "inputs.sentences: expected a list"),
        (SIMILARITY, {"inputs": {**PAIR, "source_sentence": 1}}, "inputs.source_sentence: expected a text"),
    ],
)
def test_a_wrong_body_is_refused_with_its_place(task: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read(task, body)


def test_similarity_is_the_cosine_with_the_source() -> None:
    vectors = np.array([[2, 0], [1, 0], [0, 3], [-1, 0], [1, 1]], dtype=np.float32)
    found = answer(Query(SIMILARITY, ("",) * 5), vectors)
    assert found == pytest.approx([1, 0, -1, 0.5**0.5], abs=1e-6)


def test_normalize_brings_to_length_one_and_leaves_zeros() -> None:
    vectors = np.array([[3, 4], [0, 0]], dtype=np.float32)
    found = answer(Query(FEATURE, ("", ""), normalize=True), vectors)
    np.testing.assert_allclose(np.array(found), [[0.6, 0.8], [0.0, 0.0]], atol=1e-6)


def test_without_normalize_the_models_vectors_stay() -> None:
    assert answer(Query(FEATURE, ("",), single=True), np.array([[3, 4]], dtype=np.float32)) == [3, 4]


def test_a_cut_text_is_refused_only_if_it_must_not_be_cut() -> None:
    tokens = np.array([[3, 3], [300, 256]], dtype=np.int32)
    refuse_too_long(Query(FEATURE, ("", ""), truncate=True), tokens)
    with pytest.raises(InvalidRequest, match="text 1 has 300 tokens, the model takes 256"):
        refuse_too_long(Query(FEATURE, ("", ""), truncate=False), tokens)


@pytest.mark.parametrize(("count", "size", "parts"), [(1, 32, 1), (32, 32, 1), (33, 32, 2), (256, 1, 256)])
def test_a_request_is_split_into_batches(count: int, size: int, parts: int) -> None:
    found = split(count, size)
    assert len(found) == parts
    assert [index for part in found for index in range(part.start, part.stop)] == list(range(count))
