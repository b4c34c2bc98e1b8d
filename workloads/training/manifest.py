"""What a checkpoint's folder must hold, and whether it does. Standard library only.

torch's own format has no checksums: a flipped byte loads silently. So manifest.json is written into the folder last,
with the size and sha256 of each file; a folder without one, or that differs from it, is no checkpoint.

    {"formatVersion": 1, "step": 200, "data": "<sha256 of the tokens>",
     "files": {"__0_0.distcp": {"bytes": 1494000, "sha256": "<hex>"}}}
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FORMAT_VERSION: Final = 1
NAME: Final = "manifest.json"


class Damaged(Exception):
    """The folder is not what its manifest says, or has none; the message says which file and what was found."""


@dataclass(frozen=True)
class Manifest:
    """What is known of a checkpoint that was found whole."""

    step: int
    data: str
    """sha256 (hex) of the tokens that it was trained on."""
    digest: str
    """`sha256:<hex>` of the manifest itself: the identity of the checkpoint."""


def write(folder: Path, step: int, data: str) -> Manifest:
    """Describe all files of `folder`, on disk before this returns."""
    files = {file.name: {"bytes": file.stat().st_size, "sha256": _sha256(file)} for file in sorted(folder.iterdir())}
    said = {"formatVersion": FORMAT_VERSION, "step": step, "data": data, "files": files}
    text = json.dumps(said, sort_keys=True, indent=1)
    with (folder / NAME).open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    sync(folder)
    return Manifest(step, data, _digest(text))


def verify(folder: Path) -> Manifest:
    """The manifest of a folder in which each file is as it was written. Raises Damaged."""
    file = folder / NAME
    try:
        text = file.read_text()
        said = json.loads(text)
        version, step, data, files = int(said["formatVersion"]), int(said["step"]), str(said["data"]), said["files"]
        if version > FORMAT_VERSION:
            raise Damaged(f"{folder.name}/{NAME}: formatVersion: expected at most {FORMAT_VERSION}, found {version}")
        for name, expected in files.items():
            _verify(folder, name, int(expected["bytes"]), str(expected["sha256"]))
    except FileNotFoundError:
        raise Damaged(f"{folder.name}/{NAME}: expected a manifest, found none") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{folder.name}/{NAME}: expected a manifest, found {type(error).__name__}: {error}") from error
    return Manifest(step, data, _digest(text))


def sync(folder: Path) -> None:
    """Have the names in a folder on disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _verify(folder: Path, name: str, size: int, sha256: str) -> None:
    file, place = folder / name, f"{folder.name}/{name}"
    if not file.exists():
        raise Damaged(f"{place}: expected {size} bytes, found no such file")
    if (found := file.stat().st_size) != size:
        raise Damaged(f"{place}: expected {size} bytes, found {found}")
    if (digest := _sha256(file)) != sha256:
        raise Damaged(f"{place}: expected sha256 {sha256[:12]}…, found {digest[:12]}…")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
