"""A folder that can't be a model is refused before anything is copied."""

from pathlib import Path

import pytest

from cli.errors import CommandFailed
from cli.model import look
from workloads.inference import manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "My-Encoder"
    made.mkdir()
    (made / "model.onnx").write_bytes(b"weights")
    return made


def test_the_folder_lends_its_name(folder: Path) -> None:
    found = look(folder)
    assert (found.name, found.size, found.digest()) == ("my-encoder", 7, manifest.folder_digest(folder))


@pytest.mark.parametrize("name", ["../up", "-dash", "Upper", "a/b", "a b", "x" * 60])
def test_a_name_that_no_folder_should_have_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(CommandFailed, match="NAME: expected"):
        look(folder, name)


def test_no_folder_a_file_and_a_folder_without_weights_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="expected a folder, found none"):
        look(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(CommandFailed, match="expected a folder, found a file"):
        look(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandFailed, match=r"expected model\.onnx"):
        look(tmp_path / "empty")


def test_what_nothing_reads_is_left_out(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"the same again")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text("{}")
    found = look(folder)
    assert [str(file) for file in found.files] == ["1_Pooling/config.json", "model.onnx"]
    assert [str(file) for file in found.left_out] == ["pytorch_model.bin"]
