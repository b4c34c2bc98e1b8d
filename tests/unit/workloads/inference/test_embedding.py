"""The backend reads folders in the sentence-transformers format, and says which file of a wrong one is at fault."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.inference.backend.embedding import InvalidModel, Layout, pool, read_layout, runs

MODULES = [
    {"type": "sentence_transformers.models.Transformer", "path": ""},
    {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
    {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _write(tmp_path, "model.onnx", "")
    _write(tmp_path, "tokenizer.json", {})
    _write(tmp_path, "modules.json", MODULES)
    _write(tmp_path, "1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False})
    _write(tmp_path, "sentence_bert_config.json", {"max_seq_length": 256})
    return tmp_path


def _write(folder: Path, name: str, content: Any) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_a_whole_folder_is_read(folder: Path) -> None:
    assert read_layout(folder) == Layout(folder / "model.onnx", ("mean_tokens",), normalize=True, max_tokens=256)


def test_weights_may_stand_where_the_hub_has_them(folder: Path) -> None:
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx/model.onnx")
    assert read_layout(folder).weights == folder / "onnx/model.onnx"


def test_the_newer_form_of_the_pooling_is_read(folder: Path) -> None:
    _write(folder, "1_Pooling/config.json", {"pooling_mode": "cls"})
    assert read_layout(folder).poolings == ("cls_token",)


def test_without_a_limit_the_window_is_that_of_bert(folder: Path) -> None:
    (folder / "sentence_bert_config.json").unlink()
    assert read_layout(folder).max_tokens == 512


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "modules.json", "1_Pooling/config.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InvalidModel, match=name):
        read_layout(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", "{", "modules.json: expected JSON"),
        ("modules.json", {}, "modules.json: expected a JSON list, got dict"),
        ("modules.json", MODULES[:1], "modules.json: expected a Pooling"),
        ("modules.json", [*MODULES, {"type": "x.Dense", "path": "3"}], "got 'Dense'"),
        ("1_Pooling/config.json", {"pooling_mode_lasttoken": True}, "got lasttoken"),
        ("1_Pooling/config.json", {}, "expected a Pooling"),
        ("sentence_bert_config.json", [], "sentence_bert_config.json: expected a JSON dict"),
    ],
)
def test_a_wrong_file_is_named(folder: Path, name: str, content: Any, message: str) -> None:
    _write(folder, name, content)
    with pytest.raises(InvalidModel, match=message):
        read_layout(folder)


VECTORS = np.array([[[1, 8], [3, 2], [9, 9]]], dtype=np.float32)  # one text, two tokens and a padded one
MASK = np.array([[1, 1, 0]])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean_tokens", [2, 5]),
        ("cls_token", [1, 8]),
        ("max_tokens", [3, 8]),
        ("mean_sqrt_len_tokens", [4 / 2**0.5, 10 / 2**0.5]),
    ],
)
def test_pooling_counts_no_padding(pooling: str, expected: list[float]) -> None:
    np.testing.assert_allclose(pool(VECTORS, MASK, (pooling,)), [expected], rtol=1e-6)


def test_several_poolings_stand_side_by_side() -> None:
    np.testing.assert_allclose(pool(VECTORS, MASK, ("cls_token", "mean_tokens")), [[1, 8, 2, 5]], rtol=1e-6)


@given(st.lists(st.integers(1, 512), min_size=1, max_size=64))
def test_every_text_runs_once_and_no_run_is_too_large(lengths: list[int]) -> None:
    found = runs(lengths, max_tokens=1024)
    assert sorted(index for run in found for index in run) == list(range(len(lengths)))
    assert all(len(run) * max(lengths[index] for index in run) <= 1024 for run in found)
