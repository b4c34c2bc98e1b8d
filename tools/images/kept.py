"""The cache's part for images: blobs, and a record of each layer and each image by what it was made of."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from homespun import places
from tools.images import oci
from tools.images.oci import Fill, Image, Layer

BUILDS: Final = 3
"""Of one image that stay: that of this checkout, and what came before."""


class Kept:
    """What was built, by names and by tags that tell its content."""

    def __init__(self) -> None:
        self.folder = places.cache() / "images"
        self.blobs = oci.Store(self.folder / "blobs")

    def holds(self, name: str, tag: str) -> bool:
        """Whether the image was built, and all of it is there."""
        return self._record(name, tag).exists() and all(map(self._whole, self.image(name, tag).layers))

    def image(self, name: str, tag: str) -> Image:
        """One that was built."""
        found: dict[str, Any] = json.loads(self._record(name, tag).read_text())
        return Image(**{**found, "layers": tuple(Layer(**layer) for layer in found["layers"])})

    def keep(self, name: str, tag: str, image: Image) -> None:
        """Record an image, and forget the oldest of that name."""
        _write(self._record(name, tag), asdict(image))
        builds = sorted(self._record(name, tag).parent.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for outdated in builds[:-BUILDS]:
            outdated.unlink()

    def layer(self, key: str, fill: Fill) -> Layer:
        """The layer of this key, made if it is not there. Raises ToolError."""
        record = self.folder / f"layers/{key}.json"
        if record.exists() and self._whole(known := Layer(**json.loads(record.read_text()))):
            return known
        made = self.blobs.layer(fill, compressed=True)
        _write(record, asdict(made))
        return made

    def sweep(self) -> None:
        """Remove layers and blobs that no recorded image has, and what versions before this one kept."""
        shutil.rmtree(self.folder / "storage", ignore_errors=True)
        for archive in self.folder.glob("homespun-*.tar"):
            archive.unlink()
        images = [self.image(path.parent.name, path.stem) for path in self.folder.glob("built/*/*.json")]
        used = {digest for image in images for digest in image.blobs}
        for record in self.folder.glob("layers/*.json"):
            if json.loads(record.read_text())["digest"] not in used:
                record.unlink()
        for blob in self.blobs.folder.iterdir():
            if f"sha256:{blob.name}" not in used:
                blob.unlink()

    def _whole(self, layer: Layer) -> bool:
        path = self.blobs.path(layer.digest)
        return path.exists() and path.stat().st_size == layer.size

    def _record(self, name: str, tag: str) -> Path:
        return self.folder / f"built/{name}/{tag}.json"


@contextmanager
def locked() -> Iterator[Kept]:
    """It alone: two checkouts share the cache."""
    cache = Kept()
    cache.folder.mkdir(parents=True, exist_ok=True)
    with (cache.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def _write(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all: an `up` may be killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value))
    draft.rename(path)
