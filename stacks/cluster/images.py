"""Container images of single binaries, as OCI archives: the same bytes from the same inputs, no registry, no engine.

Their names stand under `localhost/homespun`, so that none is taken for upstream's, nor ever looked for in a registry.
"""

import fcntl
import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from homespun import places
from homespun.hosts.files import Artifact
from homespun.hosts.state import Image
from tools.images import oci

REPOSITORY: Final = "localhost/homespun"
PAUSE_VERSION: Final = "3.10.2"  # the names that kubeadm gives to these two
ETCD_REVISION: Final = "0"
PATH: Final = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Recipe:
    """What is in an image: path inside it → file here."""

    reference: str
    files: Mapping[str, Path]
    entrypoint: tuple[str, ...]


def recipes(tools: Mapping[str, Path], kubernetes: str, etcd: str, coredns: str) -> tuple[Recipe, ...]:
    """The images that kubeadm starts. `tools` are the commands' paths by their names."""

    def single(name: str, tag: str) -> Recipe:
        return Recipe(f"{REPOSITORY}/{name}:{tag}", {f"usr/local/bin/{name}": tools[name]}, (f"/usr/local/bin/{name}",))

    proxy = single("kube-proxy", f"v{kubernetes}")
    # kube-proxy runs nft; PID 1 of a pod comes from Debian as a static binary, and reaps as upstream's pause does.
    return (
        single("kube-apiserver", f"v{kubernetes}"),
        single("kube-controller-manager", f"v{kubernetes}"),
        single("kube-scheduler", f"v{kubernetes}"),
        Recipe(proxy.reference, {**proxy.files, **with_libraries(Path("/usr/sbin/nft"))}, proxy.entrypoint),
        single("etcd", f"{etcd}-{ETCD_REVISION}"),
        Recipe(f"{REPOSITORY}/coredns:v{coredns}", {"coredns": tools["coredns"]}, ("/coredns",)),
        pause(),
    )


def pause() -> Recipe:
    """What holds a pod's namespaces."""
    return Recipe(f"{REPOSITORY}/pause:{PAUSE_VERSION}", {"pause": Path("/usr/bin/catatonit")}, ("/pause", "-P"))


def with_libraries(program: Path) -> dict[str, Path]:
    """A program of this machine and all shared libraries that it loads, at their own paths."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]
    return {str(path).lstrip("/"): path.resolve() for path in (program, *libraries)}


def build(recipe: Recipe, architecture: str) -> Image:
    """The image's archive, made if the cache has none of the same inputs."""
    inputs = {inside: sha256(path) for inside, path in sorted(recipe.files.items())}
    key = hashlib.sha256(repr((recipe.reference, recipe.entrypoint, architecture, inputs)).encode()).hexdigest()
    archive = places.cache() / "images" / f"{recipe.reference.rsplit('/', 1)[1].replace(':', '-')}-{key[:12]}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (archive.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two checkouts share the cache
        if not archive.exists():
            partial = archive.with_suffix(".partial")
            _write(recipe, architecture, partial)
            partial.rename(archive)
    with tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        digest = json.load(index)["manifests"][0]["digest"]
    return Image(recipe.reference, digest, Artifact(str(archive), sha256(archive)))


def sha256(path: Path) -> str:
    """Of a file; read once as long as it is the same by size and time of change."""
    found = path.stat()
    return _sha256(path, found.st_size, found.st_mtime_ns)


@cache
def _sha256(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(recipe: Recipe, architecture: str, target: Path) -> None:
    def fill(tar: tarfile.TarFile) -> None:
        folders = {str(parent) for inside in recipe.files for parent in Path(inside).parents} | {"etc", "tmp"}
        for folder in sorted(folders - {"."}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for inside, path in sorted(recipe.files.items()):
            entry = tarfile.TarInfo(inside)
            entry.size, entry.mode = path.stat().st_size, 0o755
            with path.open("rb") as file:
                tar.addfile(entry, file)

    with tempfile.TemporaryDirectory() as folder, target.open("wb") as out:
        blobs = oci.Store(Path(folder))
        settings = {"Entrypoint": list(recipe.entrypoint), "Env": [f"PATH={PATH}"]}
        layers = [blobs.layer(fill, compressed=False)]
        blobs.archive(blobs.image(recipe.reference, layers, architecture, settings), out)
