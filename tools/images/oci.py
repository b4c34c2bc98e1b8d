"""Container images as blobs that they share, without an engine: layers, configuration, manifest.

Formats: https://github.com/opencontainers/image-spec (layer, config, manifest, image-layout).
"""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, Final

from tools.obtain import ToolError

TAR: Final = "application/vnd.oci.image.layer.v1.tar"
ZSTD: Final = f"{TAR}+zstd"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
COMPRESS: Final = ("zstd", "--quiet", "--force", "-T0", "-3")
CHUNK_BYTES: Final = 1 << 20
LAYOUT_FILE: Final = "oci-layout"
LAYOUT: Final = b'{"imageLayoutVersion": "1.0.0"}'

Descriptor = dict[str, Any]
Fill = Callable[[tarfile.TarFile], None]


@dataclass(frozen=True)
class Layer:
    """Files upon those of the layers below."""

    diff_id: str
    """Digest of the tar, as against that of the blob: `sha256:…`."""
    digest: str
    size: int
    """Of the blob, in bytes."""
    media_type: str


@dataclass(frozen=True)
class Image:
    """What a reference stands for."""

    reference: str
    digest: str
    """Of its manifest."""
    config: str
    layers: tuple[Layer, ...]
    architecture: str

    @property
    def chain(self) -> tuple[str, ...]:
        """What a layer is together with all below it, from the lowest on (image-spec: Layer ChainID)."""

        def upon(below: str, diff_id: str) -> str:
            return _digest(f"{below} {diff_id}".encode())

        return tuple(accumulate((layer.diff_id for layer in self.layers), upon))

    @property
    def blobs(self) -> tuple[str, ...]:
        """Digests of all that it consists of."""
        return self.digest, self.config, *(layer.digest for layer in self.layers)


class Store:
    """A folder of blobs by their digests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sha256"

    def path(self, digest: str) -> Path:
        """Where the blob is, if it is there."""
        return self.folder / digest.removeprefix("sha256:")

    def layer(self, fill: Fill, compressed: bool) -> Layer:
        """Keep what `fill` puts into a tar. Raises ToolError where it can't be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / ".draft"
        hashed = hashlib.sha256()
        with (
            _compressing(draft) if compressed else draft.open("wb") as file,
            _stream(_Through(file, hashed.update)) as tar,
        ):
            fill(tar)
        with draft.open("rb") as file:
            digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
            os.fsync(file.fileno())  # a record will speak of it
        size = draft.stat().st_size
        draft.rename(self.path(digest))
        return Layer(f"sha256:{hashed.hexdigest()}", digest, size, ZSTD if compressed else TAR)

    def image(self, reference: str, layers: Sequence[Layer], architecture: str, settings: Mapping[str, Any]) -> Image:
        """Keep an image of these layers, the lowest first. `settings`: User, Env, Entrypoint (image-spec: config)."""
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": dict(settings),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
        described = self._keep(CONFIG, config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described,
            "layers": [_descriptor(layer.media_type, layer.digest, layer.size) for layer in layers],
        }
        digest = self._keep(MANIFEST, manifest)["digest"]
        return Image(reference, digest, described["digest"], tuple(layers), architecture)

    def index(self, image: Image) -> bytes:
        """index.json of a layout that holds this image, as containerd and others name it."""
        described = {
            **_descriptor(MANIFEST, image.digest, self.path(image.digest).stat().st_size),
            "platform": {"architecture": image.architecture, "os": "linux"},
            "annotations": {
                "io.containerd.image.name": image.reference,
                "org.opencontainers.image.ref.name": image.reference.rpartition(":")[2],
            },
        }
        return _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]})

    def archive(
        self,
        image: Image,
        out: IO[bytes],
        without: Collection[str] = (),
        progress: Callable[[int], object] = lambda percent: None,
    ) -> None:
        """Write it as one tar: the same bytes for the same image. `progress` is told percents.

        Layers whose chain (`Image.chain`) is in `without` are left out: who reads it has them.
        """
        lacking = [layer.digest for layer, chain in zip(image.layers, image.chain, strict=True) if chain not in without]
        blobs = [self.path(digest) for digest in dict.fromkeys((image.digest, image.config, *lacking))]
        total, written = sum(path.stat().st_size for path in blobs), 0

        def count(chunk: bytes) -> None:
            nonlocal written
            written += len(chunk)
            progress(min(100, 100 * written // total))

        with tarfile.open(
            fileobj=_Through(out, count), mode="w|", format=tarfile.USTAR_FORMAT, bufsize=CHUNK_BYTES
        ) as tar:
            add(tar, LAYOUT_FILE, LAYOUT)
            add(tar, "index.json", self.index(image))
            for path in blobs:
                entry = tarfile.TarInfo(f"blobs/sha256/{path.name}")
                entry.size = path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(entry, file)

    def _keep(self, media_type: str, value: Any) -> Descriptor:
        content = _json(value)
        digest = _digest(content)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path(digest).write_bytes(content)
        return _descriptor(media_type, digest, len(content))


def add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    """Put a file into a tar: the root's, of no time."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _stream(file: "_Through") -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="w|", bufsize=CHUNK_BYTES)


class _Through(io.RawIOBase):
    """A file that shows what is written to it to somebody else."""

    def __init__(self, file: IO[bytes], show: Callable[[Any], object]) -> None:
        self._file, self._show = file, show

    def write(self, data: Any, /) -> int:
        self._show(data)
        return self._file.write(data)


@contextmanager
def _compressing(target: Path) -> Iterator[IO[bytes]]:
    with subprocess.Popen([*COMPRESS, "-o", str(target)], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            yield process.stdin
            process.stdin.close()
        except BrokenPipeError:
            pass  # what it says tells more
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise ToolError(f"{target}: expected {COMPRESS[0]} to write it, but it failed: {said}")


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(media_type: str, digest: str, size: int) -> Descriptor:
    return {"mediaType": media_type, "digest": digest, "size": size}
