"""Build the images, once for their content, into archives that a machine's containerd can import."""

import compileall
import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homespun import places
from tools import environments
from tools.debian import cached_path, tree
from tools.obtain import Progress, ToolError

REPOSITORY: Final = Path(__file__).parent.parent.parent
BASE_FILE: Final = Path(__file__).parent / "base.Containerfile"
PROGRAM_FILE: Final = Path(__file__).parent / "program.Containerfile"
BASE: Final = "localhost/homespun-base"
BASE_PACKAGES: Final = ("python3", "libpython3.11", "libgomp1", "libstdc++6", "ca-certificates")


@dataclass(frozen=True)
class Recipe:
    """An image: the environment of requirements/<environment>.txt and the parts of our code that run in it."""

    name: str
    environment: str
    code: tuple[str, ...]
    """Globs from the root of the repository."""


RECIPES: Final = (
    Recipe("operator", "operator", ("homespun/**/*.py", "operators/**/*.py", "workloads/**/config.py",
                                    "workloads/**/__init__.py")),
    Recipe("serving", "serving", ("workloads/**/*.py", "workloads/pages/templates/*", "examples/*.jsonl")),
    Recipe("triton", "triton", ("workloads/__init__.py", "workloads/inference/**/*.py")),
)  # fmt: skip


@dataclass(frozen=True)
class Image:
    """A built image: what pods call it, and the docker-archive that holds it."""

    reference: str
    archive: Path


def images(progress: Progress) -> dict[str, Image]:
    """All images by name, built where the cache lacks them. Raises ToolError with the builder's last lines."""
    wanted = {recipe: _image(recipe) for recipe in RECIPES}
    folder = places.cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two checkouts share the cache
        missing = [recipe for recipe, image in wanted.items() if not image.archive.exists()]
        if missing:
            base = tree("base", BASE_PACKAGES, progress)
            with tempfile.TemporaryDirectory(dir=folder) as workplace:
                _build_all(missing, wanted, base, Path(workplace), progress)
    return {recipe.name: image for recipe, image in wanted.items()}


def _image(recipe: Recipe) -> Image:
    # All that decides what is in it: this recipe, the files that build, the tree, the environment, our code.
    parts = [repr(recipe), cached_path("base", BASE_PACKAGES).name, environments.cached_path(recipe.environment).name]
    digest = hashlib.sha256("\0".join(parts).encode())
    for file in (Path(__file__), BASE_FILE, PROGRAM_FILE):
        digest.update(file.read_bytes())
    for path in _code(recipe):
        digest.update(f"{path}\0".encode() + (REPOSITORY / path).read_bytes())
    tag = digest.hexdigest()[:12]
    return Image(
        reference=f"localhost/homespun-{recipe.name}:{tag}",
        archive=places.cache() / "images" / f"homespun-{recipe.name}-{tag}.tar",
    )


def _code(recipe: Recipe) -> list[Path]:
    found = (path for pattern in recipe.code for path in REPOSITORY.glob(pattern) if path.is_file())
    return sorted({path.relative_to(REPOSITORY) for path in found})


def _build_all(
    missing: Iterable[Recipe], wanted: dict[Recipe, Image], base: Path, workplace: Path, progress: Progress
) -> None:
    builder = _builder(workplace)
    context = workplace / "base"
    context.mkdir()
    # `cp` knows how to link and what to keep: owners, modes, symbolic links.
    _run(["cp", "-al", str(base), str(context / "tree")])
    builder.build(BASE, BASE_FILE, context)
    for number, recipe in enumerate(list(missing)):
        progress(f"building image {recipe.name}", 100 * number // len(RECIPES))
        context = workplace / recipe.name
        context.mkdir()
        _run(["cp", "-a", str(environments.environment(recipe.environment)), str(context / "environment")])
        for path in _code(recipe):
            target = context / "code" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / path, target)
        _compile(context / "code", "/opt/homespun")
        image = wanted[recipe]
        partial = image.archive.with_suffix(".partial")
        builder.build(image.reference, PROGRAM_FILE, context)
        builder.save(image.reference, partial)
        partial.rename(image.archive)


def _compile(folder: Path, inside: str) -> None:
    """Bytecode beforehand: a pod's root file system is read-only, and a start without it takes seconds."""
    compileall.compile_dir(folder, quiet=1, stripdir=str(folder), prependdir=inside)


@dataclass(frozen=True)
class _Builder:
    build: Callable[[str, Path, Path], None]
    """(reference, Containerfile, context)"""
    save: Callable[[str, Path], None]
    """(reference, archive)"""


def _builder(workplace: Path) -> _Builder:
    """Whichever builder is on the machine; buildah with a storage of its own, that goes with the workplace."""
    if shutil.which("buildah"):
        buildah = ["buildah", "--root", str(workplace / "storage"), "--runroot", str(workplace / "run")]

        def build(reference: str, file: Path, context: Path) -> None:
            _run([*buildah, "bud", "--isolation=chroot", "--quiet", "--tag", reference, "--file", str(file),
                  str(context)])  # fmt: skip

        return _Builder(build, lambda reference, out: _run(
            [*buildah, "push", "--quiet", reference, f"docker-archive:{out}:{reference}"]))  # fmt: skip
    for name in ("podman", "docker"):
        if command := shutil.which(name):
            return _engine(command)
    raise ToolError("images: expected buildah, podman or docker on PATH, found none. Run: apt-get install buildah")


def _engine(command: str) -> _Builder:
    """podman or docker, which keep what they build in a storage of their own."""
    return _Builder(
        lambda reference, file, context: _run(
            [command, "build", "--quiet", "--tag", reference, "--file", str(file), str(context)]
        ),
        lambda reference, out: _run([command, "save", "--output", str(out), reference]),
    )


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        last = "\n".join((ran.stderr or ran.stdout).strip().splitlines()[-8:])
        raise ToolError(f"{' '.join(command[:2])} … failed:\n{last}")
