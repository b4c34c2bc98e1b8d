"""What goes into each layer of an image."""

import compileall
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tools import environments
from tools.images import oci

ENVIRONMENT: Final = "opt/environment"
CODE: Final = "opt/homespun"
USER: Final = "homespun:x:10001:10001::/tmp:/usr/sbin/nologin\n"
"""Who runs in them: a JVM ends where its user has no name."""


def add_packages(tar: tarfile.TarFile, tree: Path) -> None:
    """A tree of Debian packages, without devices: a container gets its own."""
    tar.add(tree, ".", filter=lambda entry: None if entry.isdev() else entry)


def add_environment(tar: tarfile.TarFile, environment: Path, left_out: Iterable[str]) -> None:
    """A Python environment; `left_out` are globs in its packages."""
    packages = environments.packages(environment)
    unwanted = {path for pattern in left_out for path in packages.glob(pattern)}

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if environment / Path(entry.name).relative_to(ENVIRONMENT) in unwanted else _roots(entry)

    tar.add(environment, ENVIRONMENT, filter=wanted)


def add_code(tar: tarfile.TarFile, repository: Path, code: Iterable[Path], tree: Path) -> None:
    """Files of the repository, by their relative paths, and the user who runs them in `tree`."""
    with tempfile.TemporaryDirectory() as folder:
        for path in code:
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / path, target)
        # Bytecode beforehand: a pod's root file system is read-only, and a start without it takes seconds.
        compileall.compile_dir(folder, quiet=1, stripdir=folder, prependdir=f"/{CODE}")
        Path(folder).chmod(0o755)
        tar.add(folder, CODE, filter=_roots)
    oci.add(tar, "etc/passwd", ((tree / "etc/passwd").read_text() + USER).encode())


def _roots(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whoever built it, root owns it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
