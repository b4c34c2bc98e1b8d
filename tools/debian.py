"""Trees of Debian packages by debootstrap, made once for their recipe and kept in the cache."""

import fcntl
import hashlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from homespun import places
from tools.obtain import Progress, ToolError

SUITE: Final = "bookworm"
ADDRESS: Final = "http://deb.debian.org/debian/"
"""Debian's own; a box that is Debian itself is asked for the mirror that it uses."""


def tree(name: str, packages: Sequence[str], progress: Progress) -> Path:
    """The folder that holds `packages` and what they need (debootstrap's minbase), without indexes and manuals.

    Raises ToolError with debootstrap's last lines.
    """
    target = cached_path(name, packages)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two checkouts share the cache
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            debootstrap(partial, packages, progress)
            for useless in ("var/lib/apt/lists", "var/cache/apt/archives", "usr/share/doc", "usr/share/man"):
                shutil.rmtree(partial / useless, ignore_errors=True)
            # Which mirror this box uses is nobody else's business.
            (partial / "etc/apt/sources.list").write_text(f"deb {ADDRESS} {SUITE} main\n")
            partial.rename(target)
    return target


def cached_path(name: str, packages: Sequence[str]) -> Path:
    """Where the tree stands; its name tells its content."""
    recipe = hashlib.sha256("\0".join((SUITE, *packages, Path(__file__).read_text())).encode()).hexdigest()[:12]
    return places.cache() / "debian" / f"{name}-{SUITE}-{recipe}"


def mirror() -> str:
    """The Debian mirror that this box itself uses, else Debian's own address."""
    if not shutil.which("apt-get"):
        return ADDRESS
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"]
    listed = subprocess.run(asked, capture_output=True, text=True).stdout.splitlines()
    return next((line.split()[0] for line in listed if line.endswith(f" {SUITE}")), ADDRESS)


def debootstrap(target: Path, packages: Sequence[str], progress: Progress) -> None:
    """Unpack and configure the packages into a folder that is not there yet. Raises ToolError, leaving none."""
    source = mirror()
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(target), source]
    lines: list[str] = []
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            lines.append(line)
            # It prints some 700 lines, and no total.
            progress(f"debootstrap {time.monotonic() - started:.0f}s", min(99, len(lines) // 7))
    if running.returncode:
        shutil.rmtree(target, ignore_errors=True)
        said = "".join(lines[-8:]).strip().replace(source.rstrip("/"), "<this box's Debian mirror>")
        raise ToolError(f"debootstrap {SUITE} failed:\n{said}")
