"""A folder that is not as it was written is no checkpoint, and what was found is told."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from workloads.training import manifest
from workloads.training.config import Shape
from workloads.training.errors import InvalidJob
from workloads.training.manifest import Damaged, Provenance, difference

SMALL = {"layers": 2, "heads": 2, "width": 32, "context": 64, "vocabulary": 300}
TRAINED = Provenance("ab" * 32, "gpt2", SMALL, seed=0, global_batch_tokens=256, sequence_length=32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "step-00000008"
    made.mkdir()
    (made / "__0_0.distcp").write_bytes(bytes(range(256)))
    (made / ".metadata").write_bytes(b"where what is")
    return made


def test_what_was_written_is_found_whole(folder: Path) -> None:
    written = manifest.write(folder, 8, TRAINED)
    assert manifest.verify(folder) == written
    assert (written.step, written.provenance) == (8, TRAINED)


ADDED = ("family", "shape", "seed", "global_batch_tokens", "sequence_length")


def test_a_manifest_from_before_more_than_data_was_noted_is_read_and_goes_with_each(folder: Path) -> None:
    manifest.write(folder, 8, TRAINED)
    said = json.loads((folder / manifest.NAME).read_text())
    old = {name: value for name, value in said.items() if name not in ADDED}
    (folder / manifest.NAME).write_text(json.dumps(old))
    found = manifest.verify(folder).provenance
    assert found == Provenance(TRAINED.data)
    assert difference(found, TRAINED) == ""


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"family": "bert"}, "model: expected that of the checkpoints, gpt2 of layers 2, .*, got bert of layers 2, "),
        ({"shape": {**SMALL, "heads": 4}}, "heads 2, width 32, .*, got gpt2 of layers 2, heads 4, width 32"),
        ({"seed": 1}, "^seed: expected that of the checkpoints, 0, got 1: .* order; declare it as it was, or"),
        ({"global_batch_tokens": 512}, "^global_batch_tokens: expected that of the checkpoints, 256, got 512"),
        ({"sequence_length": 64}, "^data.sequence_length: expected that of the checkpoints, 32, got 64"),
        ({"seed": 1, "data": "cd" * 32}, "^seed: .*; data: expected "),
        ({"data": "cd" * 32}, r"data: expected .* \(sha256 abababababab…\), found others \(cdcdcdcdcdcd…\)"),
    ],
    ids=["family", "shape", "seed", "batch", "sequence", "two", "data"],
)
def test_what_a_run_can_not_go_on_from_is_told(other: dict[str, Any], told: str) -> None:
    assert difference(TRAINED, TRAINED) == ""
    assert re.search(told, difference(TRAINED, replace(TRAINED, **other)))


def test_a_shape_is_noted_as_the_trainer_has_it(folder: Path) -> None:
    shape = asdict(Shape(layers=2, heads=2, width=32, context=64, vocabulary=300))
    manifest.write(folder, 8, replace(TRAINED, shape=shape))
    assert difference(manifest.verify(folder).provenance, TRAINED) == ""


def rewrite(folder: Path, **fields: Any) -> None:
    """Have a manifest as another version would have written it."""
    file = folder / manifest.NAME
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def test_a_newer_format_is_no_damage(folder: Path) -> None:
    """It would be passed over, and the run would begin anew beside a good checkpoint, and remove it."""
    manifest.write(folder, 8, TRAINED)
    rewrite(folder, formatVersion=2, step={"of": "another kind"}, files=["__0_0.distcp"])
    with pytest.raises(
        InvalidJob, match=r"step-00000008/manifest.json: formatVersion: expected at most 1, found 2: go on"
    ):
        manifest.verify(folder)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({**SMALL, "experts": 8}, "gpt2 of layers 2, .*, experts 8, got gpt2 of"),
        ({"layers": 2, "width": 32}, "gpt2 of layers 2, width 32, got gpt2 of"),
    ],
    ids=["more fields", "fewer fields"],
)
def test_a_shape_of_another_version_is_another_model_and_no_damage(
    folder: Path, shape: dict[str, int], told: str
) -> None:
    manifest.write(folder, 8, TRAINED)
    rewrite(folder, shape=shape)
    assert re.search(told, difference(manifest.verify(folder).provenance, TRAINED))


def test_other_content_is_another_digest(folder: Path) -> None:
    before = manifest.write(folder, 8, TRAINED)
    (folder / manifest.NAME).unlink()
    (folder / "__0_0.distcp").write_bytes(b"other")
    assert manifest.write(folder, 8, TRAINED).digest != before.digest


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
    manifest.write(folder, 8, TRAINED)
    damage(folder)
    with pytest.raises(Damaged, match=told):
        manifest.verify(folder)
