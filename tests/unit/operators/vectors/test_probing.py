"""An answer counts only if it holds the vector that was written."""

import math
from typing import Any

import pytest

from operators.vectors.probing import direction, judge


def test_the_written_vector_is_a_good_answer() -> None:
    assert judge({"matches": [{"id": "probe", "score": 1.0}], "namespace": "x"}) == ""


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"matches": None},
        {"matches": []},
        {"matches": [{"id": "another", "score": 1.0}]},
        {"matches": [{"id": "probe"}]},
        {"matches": [{"id": "probe", "score": math.nan}]},
        {"matches": [{"id": "probe", "score": "1"}]},
    ],
)
def test_anything_else_is_none(answer: Any) -> None:
    assert judge(answer) != ""


@pytest.mark.parametrize("dimension", [2, 384, 20000])
def test_the_probe_is_of_length_1(dimension: int) -> None:
    assert math.isclose(math.hypot(*direction(dimension)), 1.0)
