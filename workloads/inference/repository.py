"""Triton's model repository, as this wing lays it out.

    <root>/models/<model>/config.pbtxt            rendered from the declaration
    <root>/models/<model>/<version>/model.py …    one folder a revision that is served or about to be
    <root>/models/<model>/<version>/weights/      the model's folder as it was fetched
    <root>/fetched/<model>/<version>/weights/     fetched and verified, not in Triton's sight

Both trees are in one file system, so that a version enters and leaves the repository by a rename.
Format of config.pbtxt: https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workloads.inference.config import Model

BACKEND: Final = Path(__file__).parent / "backend"
FILES: Final = ("model.py", "embedding.py")
BLOCK: Final = "__pycache__"
"""A *file* of this name keeps Python from making the folder. The stub heeds no variable that would, and a folder
that changes after the load makes Triton take the version for a new one at the next load, and load it again."""


def render_config(model: Model) -> str:
    """`config.pbtxt` of a model.

    Every folder is a version that is served, so the file stays as it is when versions come and go; a new file (its
    time counts, not its text) would make Triton load all of them again. No default_queue_policy (it stalls the
    batcher, triton-inference-server/server#8870), no preferred_batch_size (Triton's own advice). The name needs no
    escaping: Kubernetes allows letters, digits, `-` and `.` in it.
    """
    return f"""\
name: "{model.name}"
backend: "python"
max_batch_size: {model.max_batch_size}
input [ {{ name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] }} ]
output [
  {{ name: "EMBEDDING" data_type: TYPE_FP32 dims: [ -1 ] }},
  {{ name: "TOKENS" data_type: TYPE_INT32 dims: [ 2 ] }}
]
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
dynamic_batching {{ max_queue_delay_microseconds: {model.max_queue_delay_us} }}
version_policy {{ all {{}} }}
"""


@dataclass(frozen=True)
class Repository:
    """The two trees under `root`. Versions are Triton's version numbers."""

    root: Path

    @property
    def models(self) -> Path:
        """What Triton is started with."""
        return self.root / "models"

    def prepare(self) -> None:
        """Make the trees and drop what an interrupted write left."""
        for tree in (self.models, self._fetched):
            tree.mkdir(parents=True, exist_ok=True)
        for gone in self._fetched.glob("*/*.gone"):
            shutil.rmtree(gone, ignore_errors=True)

    def landing(self, model: str, version: int) -> Path:
        """Where a fetch of this version may write; what is in it counts for nothing until `land`."""
        return self._fetched / model / f"{version}.part"

    def land(self, model: str, version: int) -> None:
        """The landing holds a whole, verified model: keep it. A crash before the rename leaves a `.part`."""
        part = self.landing(model, version)
        for name in FILES:
            shutil.copyfile(BACKEND / name, part / name)
        (part / BLOCK).write_text("A file, so that Python makes no folder here.\n")
        os.replace(part, self._fetched / model / str(version))

    def fetched(self) -> dict[str, frozenset[int]]:
        """By model, the versions whose files are here, in either tree."""
        held = self.written()
        for model, versions in _versions(self._fetched).items():
            held[model] = held.get(model, frozenset()) | versions
        return held

    def written(self) -> dict[str, frozenset[int]]:
        """By model, the versions that stand in the repository."""
        return _versions(self.models)

    def size(self, model: str, version: int) -> int:
        """Bytes of the weights of a version that is here."""
        return sum(path.stat().st_size for path in self._place(model, version).rglob("*") if path.is_file())

    def configured(self, model: str) -> str:
        """The config.pbtxt that stands in the repository, '' if there is none."""
        path = self.models / model / "config.pbtxt"
        return path.read_text() if path.exists() else ""

    def configure(self, model: Model) -> None:
        """Write config.pbtxt, if it differs."""
        text = render_config(model)
        if self.configured(model.name) == text:
            return
        folder = self.models / model.name
        folder.mkdir(exist_ok=True)
        draft = folder / ".config.pbtxt"
        draft.write_text(text)
        os.replace(draft, folder / "config.pbtxt")

    def enter(self, model: str, version: int) -> None:
        """Put a fetched version into the repository."""
        (self.models / model).mkdir(exist_ok=True)
        if not (self.models / model / str(version)).exists():
            os.replace(self._fetched / model / str(version), self.models / model / str(version))

    def leave(self, model: str, version: int) -> None:
        """Take a version out of the repository and keep its files."""
        if (self.models / model / str(version)).exists():
            (self._fetched / model).mkdir(exist_ok=True)
            os.replace(self.models / model / str(version), self._fetched / model / str(version))

    def touch(self, model: str, version: int) -> None:
        """Make the version look changed: Triton loads only what has changed, even when its process is dead."""
        (self.models / model / str(version) / "model.py").touch()

    def discard(self, model: str, version: int) -> None:
        """Remove a version's files, in whichever tree, and what was begun of it."""
        place, gone = self._place(model, version), self._fetched / model / f"{version}.gone"
        if place.exists():
            # A folder that is half removed must not pass for a fetched one after a crash.
            gone.parent.mkdir(exist_ok=True)
            os.replace(place, gone)
        for path in (gone, self.landing(model, version)):
            shutil.rmtree(path, ignore_errors=True)

    def discard_model(self, model: str) -> None:
        """Remove all of a model."""
        for version in self.fetched().get(model, frozenset()):
            self.discard(model, version)
        for tree in (self.models, self._fetched):
            shutil.rmtree(tree / model, ignore_errors=True)

    @property
    def _fetched(self) -> Path:
        return self.root / "fetched"

    def _place(self, model: str, version: int) -> Path:
        written = self.models / model / str(version)
        return written if written.exists() else self._fetched / model / str(version)


def _versions(tree: Path) -> dict[str, frozenset[int]]:
    return {
        model.name: frozenset(int(path.name) for path in model.iterdir() if path.name.isdigit())
        for model in tree.iterdir()
        if model.is_dir()
    }
