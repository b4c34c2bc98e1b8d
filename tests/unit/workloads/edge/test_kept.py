"""The last good document stays, in memory and on disk."""

from pathlib import Path

import pytest

from workloads.edge.kept import Kept


def _kept(path: Path) -> Kept[int]:
    return Kept(path / "state/number.txt", int, 0, ValueError)


def test_before_any_document_the_value_is_the_empty_one(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    assert (kept.value, kept.known) == (0, False)


def test_a_good_document_is_taken_told_and_kept(tmp_path: Path) -> None:
    kept, told = _kept(tmp_path), []
    kept.listeners.append(lambda: told.append(kept.value))
    kept.offer("7")
    assert (kept.value, kept.known, told) == (7, True, [7])
    assert _kept(tmp_path).value == 7


def test_the_same_document_is_told_once(tmp_path: Path) -> None:
    kept, told = _kept(tmp_path), []
    kept.listeners.append(lambda: told.append(kept.value))
    kept.offer("7")
    kept.offer("7")
    assert told == [7]


def test_a_bad_document_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = _kept(tmp_path)
    kept.offer("7")
    kept.offer("seven")
    assert kept.value == _kept(tmp_path).value == 7
    assert "keeping the last good copy" in caplog.text


def test_after_a_bad_document_the_former_one_is_good_again(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    for document in ("7", "seven", "7"):
        kept.offer(document)
    assert kept.value == 7


def test_a_broken_file_does_not_keep_a_program_from_starting(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/number.txt").write_text("seven")
    assert _kept(tmp_path).value == 0
