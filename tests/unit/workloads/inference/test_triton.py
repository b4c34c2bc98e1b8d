"""Triton's complaints reach people without tracebacks and paths."""

import pytest

from workloads.inference.agent.triton import InvalidModel, TritonError, explain

INVALID = (
    "load failed for model 'm': version 7 is at UNAVAILABLE state: Internal: TritonModelException: InvalidModel:"
    " expected tokenizer.json in the model's folder, found none\n\nAt:\n"
    "  /repository/models/m/7/model.py(28): initialize\n;\n"
)
IMPORT = (
    "load failed for model 'm': version 7 is at UNAVAILABLE state: Internal: OSError: can't read"
    " /repository/models/m/7/weights/x.json\n\nAt:\n  /repository/models/m/7/model.py(28): initialize\n;\n"
)


def test_the_backends_own_sentence_is_kept() -> None:
    error = explain(INVALID)
    assert isinstance(error, InvalidModel)
    assert str(error) == "expected tokenizer.json in the model's folder, found none"


def test_of_other_failures_the_first_line_without_paths() -> None:
    assert str(explain(IMPORT)) == "Internal: OSError: can't read …"


@pytest.mark.parametrize("text", ["", "\n\n", "state: "])
def test_silence_is_called_so(text: str) -> None:
    error = explain(text)
    assert isinstance(error, TritonError)
    assert str(error)
