"""A folder comes whole into a claim, or the claim is as before."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from workloads.inference import manifest
from workloads.inference.receive import ReceiveError, receive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "from"
    (made / "1_Pooling").mkdir(parents=True)
    (made / "model.onnx").write_bytes(b"weights")
    (made / "1_Pooling/config.json").write_text("{}")
    return made


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    made = tmp_path / "claim"
    (made / "m").mkdir(parents=True)
    (made / "m/model.onnx").write_text("old")
    return made


def pack(folder: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|") as archive:
        archive.add(folder, ".")
    return out.getvalue()


def take(content: bytes, claim: Path, digest: str, replace: bool = True) -> None:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r|") as archive:
        receive(archive, claim, "m", digest, replace)


def names(claim: Path) -> list[str]:
    return sorted(path.relative_to(claim).as_posix() for path in claim.rglob("*") if path.is_file())


def test_what_comes_replaces_the_folder_of_that_name(folder: Path, claim: Path) -> None:
    take(pack(folder), claim, manifest.folder_digest(folder))
    assert names(claim) == ["m/1_Pooling/config.json", "m/model.onnx"]
    assert (claim / "m/model.onnx").read_text() == "weights"


def test_another_digest_leaves_the_claim_as_it_was(folder: Path, claim: Path) -> None:
    with pytest.raises(ReceiveError, match="not all of it came"):
        take(pack(folder), claim, "sha256:0")
    assert (claim / "m/model.onnx").read_text() == "old"
    assert names(claim) == ["m/model.onnx"]


@pytest.mark.parametrize("kept", [512, 1024, 1600])
def test_a_stream_that_breaks_off_leaves_the_claim_as_it_was(folder: Path, claim: Path, kept: int) -> None:
    with pytest.raises((ReceiveError, tarfile.TarError)):
        take(pack(folder)[:kept], claim, manifest.folder_digest(folder))
    assert (claim / "m/model.onnx").read_text() == "old"


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_a_path_that_leads_out_is_refused(claim: Path, name: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ReceiveError, match="expected a plain file or a folder within"):
        take(out.getvalue(), claim, "sha256:0")
    assert names(claim) == ["m/model.onnx"]


def test_a_link_is_refused(claim: Path) -> None:
    link = tarfile.TarInfo("model.onnx")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|") as archive:
        archive.addfile(link)
    with pytest.raises(ReceiveError, match=r"model.onnx: expected a plain file"):
        take(out.getvalue(), claim, "sha256:0")


def test_what_a_killed_copy_left_is_no_hindrance(folder: Path, claim: Path) -> None:
    (claim / ".m.part/half").mkdir(parents=True)
    (claim / ".m.gone").mkdir()
    take(pack(folder), claim, manifest.folder_digest(folder))
    assert sorted(path.name for path in claim.iterdir()) == ["m"]


def test_a_copy_that_was_killed_between_its_two_renames_loses_nothing(folder: Path, claim: Path) -> None:
    (claim / "m").rename(claim / ".m.gone")
    with pytest.raises(ReceiveError):
        take(pack(folder), claim, "sha256:0")
    assert (claim / "m/model.onnx").read_text() == "old"


def test_a_name_that_can_not_be_taken_leaves_the_old_folder(
    folder: Path, claim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(self: Path, target: Path) -> Path:
        if self.name == ".m.part":
            raise OSError("I/O error")
        os.rename(self, target)
        return target

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(ReceiveError, match="I/O error"):
        take(pack(folder), claim, manifest.folder_digest(folder))
    assert names(claim) == ["m/model.onnx"]


def test_other_content_under_a_name_that_is_taken_is_refused(folder: Path, claim: Path) -> None:
    with pytest.raises(ReceiveError, match="take another NAME, or say REPLACE=1"):
        take(pack(folder), claim, manifest.folder_digest(folder), replace=False)
    assert (claim / "m/model.onnx").read_text() == "old"


def test_the_same_content_once_more_is_no_trouble(folder: Path, claim: Path) -> None:
    take(pack(folder), claim, manifest.folder_digest(folder))
    take(pack(folder), claim, manifest.folder_digest(folder), replace=False)
    assert names(claim) == ["m/1_Pooling/config.json", "m/model.onnx"]
