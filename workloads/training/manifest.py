"""What a checkpoint's folder must hold, and whether it does. Standard library only.

torch's own format has no checksums: a flipped byte loads silently. So manifest.json is written into the folder last,
with the size and sha256 of each file; a folder without one, or that differs from it, is no checkpoint.

    {"formatVersion": 1, "step": 200, "data": "<sha256 of the tokens>", "family": "gpt2",
     "shape": {"layers": 12, "heads": 12, "width": 768, "context": 1024, "vocabulary": 50257},
     "seed": 0, "global_batch_tokens": 524288, "sequence_length": 1024,
     "files": {"__0_0.distcp": {"bytes": 1494000, "sha256": "<hex>"}}}

All from `family` to `sequence_length` was added later: a manifest without one of them is read, and goes with any, as
far as torch lets it.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from workloads.edge.digests import sha256_of
from workloads.edge.document import known
from workloads.training.config import Shape
from workloads.training.errors import InvalidJob

FORMAT_VERSION: Final = 1
NAME: Final = "manifest.json"
ORDER: Final = {
    "seed": "seed",
    "global_batch_tokens": "global_batch_tokens",
    "sequence_length": "data.sequence_length",
}
"""What makes the order of the data, by its place in the job's document."""


class Damaged(Exception):
    """The folder is not what its manifest says, or has none; the message says which file and what was found."""


@dataclass(frozen=True)
class Provenance:
    """What is trained, on what, and in which order. A run goes on from checkpoints of its own provenance only."""

    data: str
    """sha256 (hex) of the tokens."""
    family: str = ""
    """'' where an old manifest does not say."""
    shape: Mapping[str, Any] | None = None
    """As `Shape` has it, by name, or as another version of it had it. None where an old manifest does not say."""
    seed: int | None = None
    """This and the next two make the order of the data; each None where an old manifest does not say."""
    global_batch_tokens: int | None = None
    sequence_length: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What is known of a checkpoint that was found whole."""

    step: int
    provenance: Provenance
    digest: str
    """`sha256:<hex>` of the manifest itself: the identity of the checkpoint."""


def write(folder: Path, step: int, provenance: Provenance) -> Manifest:
    """Describe all files of `folder`, on disk before this returns."""
    files = {file.name: {"bytes": file.stat().st_size, "sha256": sha256_of(file)} for file in sorted(folder.iterdir())}
    said = {"formatVersion": FORMAT_VERSION, "step": step, **asdict(provenance), "files": files}
    text = json.dumps(said, sort_keys=True, indent=1)
    with (folder / NAME).open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    sync(folder)
    return Manifest(step, provenance, _digest(text))


def verify(folder: Path) -> Manifest:
    """The manifest of a folder in which each file is as it was written. Raises Damaged.

    InvalidJob for one of a newer format: it is whole as far as anybody knows, and to pass it over would be to begin
    anew, and to remove it in the end.
    """
    file = folder / NAME
    try:
        text = file.read_text()
        said = json.loads(text)
        if (version := int(said["formatVersion"])) > FORMAT_VERSION:  # first: nothing else need be as it is here
            raise InvalidJob(
                f"{file}: formatVersion: expected at most {FORMAT_VERSION}, found {version}: go on with the version "
                "that wrote it, or train into another folder"
            )
        step, files = int(said["step"]), said["files"]
        # Not as a Shape: one with another field is another model, and no damage.
        shape = dict(said["shape"]) if said.get("shape") else None
        order = {name: int(said[name]) for name in ORDER if said.get(name) is not None}
        provenance = Provenance(str(said["data"]), str(said.get("family", "")), shape, **order)
        for name, expected in files.items():
            _verify(folder, name, int(expected["bytes"]), str(expected["sha256"]))
    except FileNotFoundError:
        raise Damaged(f"{folder.name}/{NAME}: expected a manifest, found none") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{folder.name}/{NAME}: expected a manifest, found {type(error).__name__}: {error}") from error
    return Manifest(step, provenance, _digest(text))


def difference(found: Provenance, expected: Provenance) -> str:
    """All that is not with a run as its checkpoints have it, with what to do; '' where it can go on from them."""
    wrong = []
    if found.family and (found.family, found.shape) != (expected.family, expected.shape):
        wrong.append(
            f"model: expected that of the checkpoints, {_model(found)}, got {_model(expected)}; declare it as it was, "
            "or train the other one into another folder"
        )
    for name, place in ORDER.items():
        was, now = getattr(found, name), getattr(expected, name)
        if was is not None and was != now:
            wrong.append(
                f"{place}: expected that of the checkpoints, {was}, got {now}: the data would come in another order; "
                "declare it as it was, or train into another folder"
            )
    if found.data != expected.data:
        wrong.append(
            f"data: expected the tokens that the checkpoints were trained on (sha256 {found.data[:12]}…), found others "
            f"({expected.data[:12]}…): the text or the tokenizer was changed since; put them back, or train on the "
            "changed ones into another folder"
        )
    return "; ".join(wrong)


def sync(folder: Path) -> None:
    """Have the names in a folder on disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _model(provenance: Provenance) -> str:
    shape = dict(provenance.shape or {})
    shape = {**known(Shape, shape), **shape}  # in the order in which one says it, which the file has not
    return f"{provenance.family} of {', '.join(f'{name} {value}' for name, value in shape.items())}"


def _verify(folder: Path, name: str, size: int, sha256: str) -> None:
    file, place = folder / name, f"{folder.name}/{name}"
    if not file.exists():
        raise Damaged(f"{place}: expected {size} bytes, found no such file")
    if (found := file.stat().st_size) != size:
        raise Damaged(f"{place}: expected {size} bytes, found {found}")
    if (digest := sha256_of(file)) != sha256:
        raise Damaged(f"{place}: expected sha256 {sha256[:12]}…, found {digest[:12]}…")


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
