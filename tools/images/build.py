"""Build the images of our programs, once for their content, of layers that they share and that stay in the cache.

A layer of Debian packages, one of a Python environment, one of our code: what has not changed is neither built nor
brought to a machine again.
"""

import hashlib
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Final

from tools import environments, obtain
from tools.debian import cached_path, tree
from tools.images import layers, oci
from tools.images.kept import Kept, locked
from tools.images.layers import CODE, ENVIRONMENT
from tools.images.oci import Image, Layer
from tools.obtain import Progress, ToolError, architecture, downloads_allowed
from tools.table import CADDY, JOBSET, JOBSET_IMAGE, Tool

REPOSITORY: Final = Path(__file__).parent.parent.parent
PREFIX: Final = "localhost/homespun"
BASE_PACKAGES: Final = ("python3", "libpython3.11", "libgomp1", "libstdc++6", "ca-certificates")
UID: Final = "10001:10001"
PROGRAM: Final = {
    "User": UID,
    "WorkingDir": f"/{CODE}",
    "Env": [
        f"PATH=/{ENVIRONMENT}/bin:/usr/bin:/bin",
        f"PYTHONPATH=/{CODE}",
        "PYTHONUNBUFFERED=1",
        "PYTHONDONTWRITEBYTECODE=1",
        "USER=homespun",
    ],
}
COMMANDS: Final = {"jobset": (JOBSET, "manager"), "ingress": (CADDY, "caddy")}
"""Images of one command alone: which it is, and its file's name."""
INGRESS: Final = "ingress"


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


def references(ingress: bool = False) -> dict[str, str]:
    """What pods call each image, by name: known before it is built. That of an ingress where there is one."""
    return {name: f"{PREFIX}-{name}:{tag}" for name, tag in _tags(ingress).items()}


def missing(ingress: bool = False) -> list[str]:
    """Names of those that the cache lacks."""
    return [name for name, tag in _tags(ingress).items() if not Kept().holds(name, tag)]


def images(progress: Progress, ingress: bool = False) -> dict[str, Image]:
    """All images by name, built where the cache lacks them. Raises ToolError."""
    recipes = {recipe.name: recipe for recipe in RECIPES}
    tags, found = _tags(ingress), {}
    with locked() as kept:
        for number, (name, tag) in enumerate(tags.items()):
            if not kept.holds(name, tag):
                progress(f"image {name}", 100 * number // len(tags))
                if name in recipes:
                    content, settings = _program(recipes[name], kept, progress), PROGRAM
                else:
                    content = [_command(name, kept, progress)]
                    settings = {"User": UID, "Entrypoint": [f"/{COMMANDS[name][1]}"]}
                kept.keep(name, tag, kept.blobs.image(f"{PREFIX}-{name}:{tag}", content, architecture(), settings))
            found[name] = kept.image(name, tag)
        kept.sweep()
    return found


def archive(image: Image, out: IO[bytes], without: Collection[str], progress: Progress) -> None:
    """Write an image as containerd reads it, but for the layers whose chain (`Image.chain`) is in `without`."""
    name = image.reference.rpartition("/")[2]
    Kept().blobs.archive(image, out, without, lambda percent: progress(name, percent))


def push(image: Image, reference: str) -> None:
    """Put a built image into a registry, by the user's own login (`skopeo login`), but for the layers that it has.

    Raises ToolError.
    """
    if not shutil.which("skopeo"):
        raise ToolError(
            "images: expected skopeo on PATH, to push to a registry, found none. Run: apt-get install skopeo"
        )
    with locked() as kept, tempfile.TemporaryDirectory() as layout:
        (Path(layout) / oci.LAYOUT_FILE).write_bytes(oci.LAYOUT)
        (Path(layout) / "index.json").write_bytes(kept.blobs.index(image))
        source = f"oci:{layout}:{image.reference.rpartition(':')[2]}"
        # As docker does: what is on this box may do without TLS.
        plain = ["--dest-tls-verify=false"] if reference.startswith(("localhost:", "127.")) else []
        ran = subprocess.run(
            ["skopeo", "copy", "--quiet", f"--src-shared-blob-dir={kept.blobs.folder.parent}", *plain, source,
             f"docker://{reference}"],
            capture_output=True, text=True,
        )  # fmt: skip
    if ran.returncode:
        raise ToolError(f"skopeo copy {reference} failed:\n" + "\n".join(ran.stderr.strip().splitlines()[-8:]))


def _tags(ingress: bool) -> dict[str, str]:
    """What tells an image's content, by name. JobSet's controller is one where clusters can't pull upstream's."""
    found = {recipe.name: _tag(recipe) for recipe in RECIPES}
    commands = [*([] if _upstreams_jobset() else [JOBSET.name]), *([INGRESS] if ingress else [])]
    return {**found, **{name: _commands_tag(COMMANDS[name][0]) for name in commands}}


@cache  # the site is asked once: where it is out of reach, that takes a while
def _upstreams_jobset() -> bool:
    """Whether the official image is used. Decided once a cache, so that no later outage changes what runs."""
    decided = Kept().folder / f"jobset-{JOBSET.version}.upstream"
    if not downloads_allowed() or Kept().holds(JOBSET.name, _commands_tag(JOBSET)):
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


def _commands_tag(tool: Tool) -> str:
    return obtain.cached_path(tool).parent.name.removeprefix(f"{tool.name}-")


def _command(name: str, kept: Kept, progress: Progress) -> Layer:
    tool, file = COMMANDS[name]
    content = obtain.obtain(tool, progress).read_bytes()
    return kept.layer(f"{name}-{_commands_tag(tool)}", lambda tar: oci.add(tar, file, content, 0o755))


def _tag(recipe: Recipe) -> str:
    # All that decides what is in it: this recipe, what builds, the tree, the environment, our code.
    environment = environments.cached_path(recipe.environment).name
    parts = (recipe, PROGRAM, _builders(), cached_path(*recipe.base).name, environment)
    digest = hashlib.sha256(repr(parts).encode())
    for path in _code(recipe):
        digest.update(f"{path}\0".encode() + (REPOSITORY / path).read_bytes())
    return digest.hexdigest()[:12]


def _code(recipe: Recipe) -> list[Path]:
    found = (path for pattern in recipe.code for path in REPOSITORY.glob(pattern) if path.is_file())
    return sorted({path.relative_to(REPOSITORY) for path in found})


def _program(recipe: Recipe, kept: Kept, progress: Progress) -> list[Layer]:
    """The layers of a program's image, the lowest first."""
    base = tree(*recipe.base, progress)
    environment = environments.environment(recipe.environment)
    return [
        kept.layer(_key(base.name), lambda tar: layers.add_packages(tar, base)),
        kept.layer(
            _key(environment.name, *recipe.left_out),
            lambda tar: layers.add_environment(tar, environment, recipe.left_out),
        ),
        kept.blobs.layer(lambda tar: layers.add_code(tar, REPOSITORY, _code(recipe), base), compressed=True),
    ]


def _key(name: str, *parts: str) -> str:
    """Of a layer: its content's name, with what else decides."""
    return f"{name}-{hashlib.sha256(repr((parts, _builders())).encode()).hexdigest()[:6]}"


@cache
def _builders() -> str:
    """Digest of the code that makes layers and images of what they hold."""
    code = [Path(str(module.__file__)).read_bytes() for module in (layers, oci)]
    return hashlib.sha256(b"".join(code)).hexdigest()
