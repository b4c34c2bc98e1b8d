"""Build the images, once for their content, into archives that a machine's containerd can import."""

import compileall
import fcntl
import hashlib
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homespun import places
from tools import environments, obtain
from tools.debian import cached_path, tree
from tools.obtain import Progress, ToolError, downloads_allowed
from tools.table import JOBSET, JOBSET_IMAGE

REPOSITORY: Final = Path(__file__).parent.parent.parent
HERE: Final = Path(__file__).parent
BASE_FILE: Final = HERE / "base.Containerfile"
ENVIRONMENT_FILE: Final = HERE / "environment.Containerfile"
PROGRAM_FILE: Final = HERE / "program.Containerfile"
COMMAND_FILE: Final = HERE / "command.Containerfile"
PREFIX: Final = "localhost/homespun"
KEPT: Final = 3
"""Archives of one image that stay in the cache: that of this checkout, and what came before."""
PUSH_WORDS: Final = ("--format=oci", "--compression-format=zstd")
"""Of buildah: gzip, its default, takes minutes for torch's libraries; only an OCI manifest can speak of zstd."""
USER: Final = "homespun:x:10001:10001::/tmp:/usr/sbin/nologin\n"
"""Who runs in them: a JVM ends where its user has no name."""
BASE_PACKAGES: Final = ("python3", "libpython3.11", "libgomp1", "libstdc++6", "ca-certificates")


@dataclass(frozen=True)
class Recipe:
    """An image: the environment of requirements/<environment>.txt and the parts of our code that run in it."""

    name: str
    environment: str
    code: tuple[str, ...]
    """Globs from the root of the repository."""
    left_out: tuple[str, ...] = ()
    """Globs in the environment's packages: what no program of the image ever reads."""
    packages: tuple[str, ...] = ()
    """Debian packages beside those of every image."""

    @property
    def base(self) -> tuple[str, tuple[str, ...]]:
        """The tree of Debian packages that it stands upon, by name: images without packages of their own share one."""
        return f"base-{self.name}" if self.packages else "base", (*BASE_PACKAGES, *self.packages)


WITHOUT_GPU: Final = (
    "triton",
    "nvidia/cudnn/lib/libcudnn_*",
    "nvidia/cu13/lib/*.alt.*",
    "nvidia/cu13/lib/libcusolverMg*",
    "nvidia/cu13/lib/libnvperf_*",
    "nvidia/cu13/include",
    "nvidia/nvshmem/lib/*.bc",
    "torch/include",
)
"""A third of torch's environment: what is loaded only where there is a GPU. The rest is linked to, and has to be."""
RECIPES: Final = (
    Recipe("operator", "operator", ("homespun/**/*.py", "operators/**/*.py", "workloads/**/config.py",
                                    "workloads/vectors/ingestion.py", "workloads/edge/document.py",
                                    "workloads/**/__init__.py")),
    Recipe("serving", "serving", ("workloads/__init__.py", "workloads/edge/**/*.py", "workloads/inference/**/*.py",
                                  "workloads/pages/**/*.py", "workloads/pages/templates/*")),
    Recipe("triton", "triton", ("workloads/__init__.py", "workloads/inference/**/*.py")),
    Recipe("vectors", "vectors", ("workloads/__init__.py", "workloads/edge/**/*.py", "workloads/vectors/**/*.py")),
    Recipe("milvus", "milvus", ("workloads/__init__.py", "workloads/vectors/__init__.py",
                                "workloads/vectors/engine.py")),
    Recipe("training", "training", ("workloads/__init__.py", "workloads/edge/__init__.py",
                                    "workloads/edge/digests.py", "workloads/edge/document.py",
                                    "workloads/training/**/*.py"),
           left_out=WITHOUT_GPU),
    Recipe("ingest", "spark", ("workloads/__init__.py", "workloads/edge/__init__.py",
                               "workloads/edge/digests.py", "workloads/edge/document.py",
                               "workloads/vectors/*.py", "workloads/vectors/ingest/*.py"),
           packages=("openjdk-17-jre-headless",)),
)  # fmt: skip


@dataclass(frozen=True)
class Image:
    """A built image: what pods call it, and the docker-archive that holds it."""

    reference: str
    archive: Path


def references() -> dict[str, str]:
    """What pods call each image, by name: known before it is built."""
    return {name: image.reference for name, image in _images().items()}


def missing() -> list[str]:
    """Names of those that the cache lacks."""
    return [name for name, image in _images().items() if not image.archive.exists()]


def images(progress: Progress) -> dict[str, Image]:
    """All images by name, built where the cache lacks them. Raises ToolError with the builder's last lines."""
    with _locked() as folder:
        names = missing()
        if JOBSET.name in names:
            _build_jobset(_jobset(), folder, progress)
        if lacking := [recipe for recipe in RECIPES if recipe.name in names]:
            with tempfile.TemporaryDirectory(dir=folder) as workplace:
                _build_all(lacking, Path(workplace), progress)
    return _images()


def _images() -> dict[str, Image]:
    """By name. JobSet's controller is among them where clusters can't pull upstream's."""
    found = {recipe.name: _image(recipe) for recipe in RECIPES}
    return found if _upstreams_jobset() else {**found, JOBSET.name: _jobset()}


def _upstreams_jobset() -> bool:
    """Whether the official image is used. Decided once a cache, so that no later outage changes what runs."""
    decided = places.cache() / "images" / f"jobset-{JOBSET.version}.upstream"
    if not downloads_allowed() or _jobset().archive.exists():
        return False
    if decided.exists():
        return True
    try:
        with urllib.request.urlopen(f"https://{JOBSET_IMAGE.split('/')[0]}/v2/", timeout=5):
            pass
    except urllib.error.HTTPError:
        pass  # it answers
    except (urllib.error.URLError, TimeoutError):
        return False
    decided.parent.mkdir(parents=True, exist_ok=True)
    decided.touch()
    return True


def _jobset() -> Image:
    tag = obtain.cached_path(JOBSET).parent.name.removeprefix("jobset-")
    return Image(f"{PREFIX}-jobset:{tag}", places.cache() / "images" / f"homespun-jobset-{tag}.tar")


def _build_jobset(image: Image, folder: Path, progress: Progress) -> None:
    command = obtain.obtain(JOBSET, progress)
    builder = _builder(folder / "storage")
    with tempfile.TemporaryDirectory(dir=folder) as context:
        shutil.copyfile(command, f"{context}/manager")
        Path(f"{context}/manager").chmod(0o755)
        builder.build(image.reference, COMMAND_FILE, "", Path(context))
        partial = image.archive.with_suffix(".partial")
        builder.save(image.reference, partial)
        builder.remove([image.reference])
        partial.rename(image.archive)


@contextmanager
def _locked() -> Iterator[Path]:
    """The cache's part for images, alone: two checkouts share it."""
    folder = places.cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def push(image: Image, reference: str) -> None:
    """Put a built image into a registry, by the builder's own login (`buildah login`). Raises ToolError."""
    with _locked() as folder:
        _builder(folder / "storage").push(image, reference)


def _image(recipe: Recipe) -> Image:
    # All that decides what is in it: this recipe, the files that build, the tree, the environment, our code.
    parts = [repr(recipe), cached_path(*recipe.base).name, environments.cached_path(recipe.environment).name]
    digest = hashlib.sha256("\0".join(parts).encode())
    for file in (Path(__file__), BASE_FILE, ENVIRONMENT_FILE, PROGRAM_FILE):
        digest.update(file.read_bytes())
    for path in _code(recipe):
        digest.update(f"{path}\0".encode() + (REPOSITORY / path).read_bytes())
    tag = digest.hexdigest()[:12]
    return Image(
        reference=f"{PREFIX}-{recipe.name}:{tag}",
        archive=places.cache() / "images" / f"homespun-{recipe.name}-{tag}.tar",
    )


def _code(recipe: Recipe) -> list[Path]:
    found = (path for pattern in recipe.code for path in REPOSITORY.glob(pattern) if path.is_file())
    return sorted({path.relative_to(REPOSITORY) for path in found})


def _build_all(lacking: list[Recipe], workplace: Path, progress: Progress) -> None:
    """Bases, environments and programs one upon another: what has not changed is there from the last time."""
    builder = _builder(workplace.parent / "storage")
    layers: set[str] = set()
    for number, recipe in enumerate(lacking):
        base_name, packages = recipe.base
        base = tree(base_name, packages, progress)
        base_image = f"{PREFIX}-{base_name}:{base.name.rpartition('-')[2]}"
        _layer(builder, base_image, BASE_FILE, "", workplace, ("tree", base))
        progress(f"building image {recipe.name}", 100 * number // len(RECIPES))
        environment = environments.environment(recipe.environment)
        tag = hashlib.sha256(f"{base_image} {environment.name} {recipe.left_out}".encode()).hexdigest()[:12]
        environment_image = f"{PREFIX}-environment-{recipe.environment}:{tag}"
        content = ("environment", environment)
        _layer(builder, environment_image, ENVIRONMENT_FILE, base_image, workplace, content, recipe.left_out)
        image = _image(recipe)
        with tempfile.TemporaryDirectory(dir=workplace) as context:
            _copy_code(recipe, Path(context) / "code")
            (Path(context) / "passwd").write_text((base / "etc/passwd").read_text() + USER)
            builder.build(image.reference, PROGRAM_FILE, environment_image, Path(context))
        partial = image.archive.with_suffix(".partial")
        builder.save(image.reference, partial)
        partial.rename(image.archive)
        layers |= {base_image, environment_image}
        _prune(image.archive.parent, recipe)
    builder.remove([name for name in builder.images() if name.startswith(PREFIX) and _obsolete(name, layers)])


def _layer(
    builder: "_Builder",
    reference: str,
    file: Path,
    parent: str,
    workplace: Path,
    content: tuple[str, Path],
    left_out: tuple[str, ...] = (),
) -> None:
    """An image that others are built upon, of a folder (by its name in the context), if there is none yet."""
    name, folder = content
    if reference in builder.images():
        return
    with tempfile.TemporaryDirectory(dir=workplace) as context:
        # `cp` knows how to link and what to keep: owners, modes, symbolic links.
        _run(["cp", "-al", str(folder), f"{context}/{name}"])
        for pattern in left_out:
            for path in environments.packages(Path(context) / name).glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        builder.build(reference, file, parent, Path(context))


def _copy_code(recipe: Recipe, folder: Path) -> None:
    for path in _code(recipe):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / path, target)
    _compile(folder, "/opt/homespun")


def _obsolete(reference: str, layers: set[str]) -> bool:
    """Whether nobody builds upon it: a program's (its archive holds it), or one that a present layer has replaced."""
    name = reference.rpartition(":")[0]
    if not name.startswith((f"{PREFIX}-base", f"{PREFIX}-environment-")):
        return True
    return reference not in layers and any(layer.startswith(f"{name}:") for layer in layers)


def _prune(folder: Path, recipe: Recipe) -> None:
    found = sorted(folder.glob(f"homespun-{recipe.name}-*.tar"), key=lambda path: path.stat().st_mtime)
    for path in found[:-KEPT]:
        path.unlink()


def _compile(folder: Path, inside: str) -> None:
    """Bytecode beforehand: a pod's root file system is read-only, and a start without it takes seconds."""
    compileall.compile_dir(folder, quiet=1, stripdir=str(folder), prependdir=inside)


@dataclass(frozen=True)
class _Builder:
    """buildah, podman or docker: they differ in little more than words."""

    command: tuple[str, ...]
    build_words: tuple[str, ...]
    name_format: str
    """Of `images --format`: a reference."""

    def build(self, reference: str, file: Path, parent: str, context: Path) -> None:
        """Build `context` by `file`, upon the image `parent`, if it has one."""
        argument = [f"--build-arg=PARENT={parent}"] if parent else []
        _run([*self.command, *self.build_words, "--quiet", *argument, f"--tag={reference}", f"--file={file}",
              str(context)])  # fmt: skip

    def save(self, reference: str, archive: Path) -> None:
        """Write the image as a docker-archive."""
        if Path(self.command[0]).name == "buildah":
            _run([*self.command, "push", "--quiet", reference, f"docker-archive:{archive}:{reference}"])
        else:
            _run([*self.command, "save", "--output", str(archive), reference])

    def push(self, image: Image, reference: str) -> None:
        """Push the image under another reference."""
        if Path(self.command[0]).name == "buildah":
            _run([*self.command, "pull", "--quiet", f"docker-archive:{image.archive}"])
            _run([*self.command, "push", "--quiet", *PUSH_WORDS, image.reference, f"docker://{reference}"])
            self.remove([image.reference])
        else:
            _run([*self.command, "load", "--input", str(image.archive)])
            _run([*self.command, "tag", image.reference, reference])
            _run([*self.command, "push", "--quiet", reference])
            self.remove([image.reference, reference])

    def images(self) -> list[str]:
        """References of all that it keeps."""
        ran = subprocess.run([*self.command, "images", "--format", self.name_format], capture_output=True, text=True)
        return ran.stdout.split()

    def remove(self, references: list[str]) -> None:
        """Drop images; of buildah's storage, which is ours, with what a build that was killed left of them."""
        force = ["--force"] if Path(self.command[0]).name == "buildah" else []
        if references:
            _run([*self.command, "rmi", *force, *references])


def _builder(storage: Path) -> _Builder:
    """Whichever is on the machine; buildah with a storage of its own, podman and docker with that which they have."""
    if shutil.which("buildah"):
        command = ("buildah", "--root", str(storage), "--runroot", f"{storage}/run")
        return _Builder(command, ("bud", "--isolation=chroot"), "{{.Name}}:{{.Tag}}")
    for name in ("podman", "docker"):
        if found := shutil.which(name):
            return _Builder((found,), ("build",), "{{.Repository}}:{{.Tag}}")
    raise ToolError("images: expected buildah, podman or docker on PATH, found none. Run: apt-get install buildah")


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        last = "\n".join((ran.stderr or ran.stdout).strip().splitlines()[-8:])
        raise ToolError(f"{' '.join(command[:2])} … failed:\n{last}")
