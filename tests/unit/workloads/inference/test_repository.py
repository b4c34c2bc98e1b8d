"""Versions enter and leave the repository whole, and a crash in between loses or fakes none."""

from pathlib import Path

import pytest

from workloads.inference.config import Model
from workloads.inference.repository import Repository, render_config

MODEL = Model("m", "org/m", "feature-extraction", "onnx", "", (), max_batch_size=8, max_queue_delay_us=500)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path)
    repository.prepare()
    return repository


def _land(repository: Repository, version: int) -> None:
    weights = repository.landing("m", version) / "weights"
    weights.mkdir(parents=True)
    (weights / "model.onnx").write_bytes(b"12345")
    repository.land("m", version)


def test_the_configuration_carries_the_declared_batching() -> None:
    text = render_config(MODEL)
    assert "max_batch_size: 8\n" in text
    assert "dynamic_batching { max_queue_delay_microseconds: 500 }" in text
    assert "version_policy { all {} }" in text
    assert "default_queue_policy" not in text  # it stalls the batcher


def test_what_has_not_landed_does_not_count(repository: Repository) -> None:
    (repository.landing("m", 1) / "weights").mkdir(parents=True)
    assert repository.fetched() == {"m": frozenset()}


def test_a_landed_version_is_fetched_but_out_of_tritons_sight(repository: Repository) -> None:
    _land(repository, 1)
    assert repository.fetched() == {"m": {1}}
    assert repository.written() == {}


def test_an_entered_version_brings_the_backend_with_it(repository: Repository) -> None:
    _land(repository, 1)
    repository.enter("m", 1)
    folder = repository.models / "m/1"
    assert {path.name for path in folder.iterdir()} == {"model.py", "embedding.py", "weights", "__pycache__"}
    assert (folder / "__pycache__").is_file()  # so that no folder changes after the load
    assert repository.fetched() == repository.written() == {"m": {1}}


def test_a_version_that_leaves_stays_fetched(repository: Repository) -> None:
    _land(repository, 1)
    repository.enter("m", 1)
    repository.leave("m", 1)
    assert repository.written() == {"m": frozenset()}
    assert repository.fetched() == {"m": {1}}


def test_entering_and_leaving_twice_changes_nothing(repository: Repository) -> None:
    _land(repository, 1)
    repository.enter("m", 1)
    repository.enter("m", 1)
    assert repository.written() == {"m": {1}}
    repository.leave("m", 1)
    repository.leave("m", 1)
    assert repository.fetched() == {"m": {1}}


def test_an_equal_configuration_is_not_written_again(repository: Repository) -> None:
    repository.configure(MODEL)
    written = (repository.models / "m/config.pbtxt").stat()
    repository.configure(MODEL)
    assert (repository.models / "m/config.pbtxt").stat().st_ino == written.st_ino


def test_a_discarded_version_is_gone_from_both_trees(repository: Repository) -> None:
    _land(repository, 1)
    repository.enter("m", 1)
    repository.landing("m", 1).mkdir()
    repository.discard("m", 1)
    assert repository.fetched() == {"m": frozenset()}
    assert not repository.landing("m", 1).exists()


def test_a_removal_that_was_cut_off_is_finished_at_the_next_start(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "fetched/m/1.gone/weights").mkdir(parents=True)
    repository.prepare()
    assert not (tmp_path / "fetched/m/1.gone").exists()


def test_a_discarded_model_leaves_nothing(repository: Repository, tmp_path: Path) -> None:
    _land(repository, 1)
    repository.enter("m", 1)
    _land(repository, 2)
    repository.configure(MODEL)
    repository.discard_model("m")
    assert [path.name for path in tmp_path.rglob("*")] == ["models", "fetched"] or {
        path.name for path in tmp_path.rglob("*")
    } == {"models", "fetched"}


def test_the_size_counts_the_files_of_a_version(repository: Repository) -> None:
    _land(repository, 1)
    in_fetched = repository.size("m", 1)
    repository.enter("m", 1)
    assert repository.size("m", 1) == in_fetched > 5
