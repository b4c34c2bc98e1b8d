"""A folder that is not as it was written is no checkpoint, and what was found is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from workloads.training import manifest
from workloads.training.manifest import Damaged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "step-00000008"
    made.mkdir()
    (made / "__0_0.distcp").write_bytes(bytes(range(256)))
    (made / ".metadata").write_bytes(b"where what is")
    return made


def test_what_was_written_is_found_whole(folder: Path) -> None:
    written = manifest.write(folder, step=8, data="abc")
    assert manifest.verify(folder) == written
    assert (written.step, written.data) == (8, "abc")


def test_other_content_is_another_digest(folder: Path) -> None:
    before = manifest.write(folder, step=8, data="abc")
    (folder / manifest.NAME).unlink()
    (folder / "__0_0.distcp").write_bytes(b"other")
    assert manifest.write(folder, step=8, data="abc").digest != before.digest


def flip(folder: Path) -> None:
    content = bytearray((folder / "__0_0.distcp").read_bytes())
    content[100] ^= 1
    (folder / "__0_0.distcp").write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (flip, r"step-00000008/__0_0.distcp: expected sha256 \w+…, found"),
        (lambda folder: (folder / "__0_0.distcp").write_bytes(b"cut"), "expected 256 bytes, found 3"),
        (lambda folder: (folder / ".metadata").unlink(), ".metadata: expected 13 bytes, found no such file"),
        (lambda folder: (folder / manifest.NAME).unlink(), "expected a manifest, found none"),
        (lambda folder: (folder / manifest.NAME).write_text("{"), "expected a manifest, found JSONDecodeError"),
        (lambda folder: (folder / manifest.NAME).write_text("[]"), "expected a manifest, found TypeError"),
    ],
    ids=["flipped byte", "truncated", "missing file", "no manifest", "cut manifest", "other manifest"],
)
def test_damage_is_told_with_its_place(folder: Path, damage: Callable[[Path], object], told: str) -> None:
    manifest.write(folder, step=8, data="abc")
    damage(folder)
    with pytest.raises(Damaged, match=told):
        manifest.verify(folder)
