"""An answer counts only if a working model can have given it."""

import math
from typing import Any

import pytest

from operators.inference.probing import judge


@pytest.mark.parametrize("answer", [[0.1, -0.2], [1.0]])
def test_a_vector_is_a_good_embedding(answer: Any) -> None:
    assert judge("feature-extraction", answer) == ""


@pytest.mark.parametrize("answer", [[], {}, "x", None, [[0.1]], ["a"], [0.0, 0.0], [math.nan], [1.0, math.inf]])
def test_what_is_no_vector_is_none(answer: Any) -> None:
    assert judge("feature-extraction", answer) != ""


def test_a_sentence_is_similar_to_itself() -> None:
    assert judge("sentence-similarity", [1.0]) == ""
    assert "expected a similarity of 1" in judge("sentence-similarity", [0.3])
