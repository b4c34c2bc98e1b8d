"""Find, download or build the commands of the table, once for a version, a recipe and an architecture."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

from homespun import places
from tools.table import GoModule, Release, Tool

GO_MODULES: Final = Path(__file__).parent / "go"
WITHOUT_DWARF: Final = "-gcflags=all=-dwarf=false"
"""The linker leaves debugging information out (`-w`), so that the compiler need not write it: a fifth of its time."""
COMPILERS_ENVIRONMENT: Final = {"GOGC": "300"}
"""Processes that live for seconds and have memory enough: collecting their garbage less saves another fifth."""
SHA512_DIGITS: Final = 128
"""Hex digits; all else is sha256."""
ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
NODE_ARCHITECTURES: Final = {"amd64": "x64", "arm64": "arm64"}
GORELEASER_ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "arm64"}

Progress = Callable[[str, int], None]
"""Called with what is being done ('downloading', 'building') and how many percent of it are done."""


class ToolError(Exception):
    """A command can't be had; the message names it, why, and what to do."""


def obtain(tool: Tool, progress: Progress) -> Path:
    """The path of `tool` in its pinned version: found on PATH, cached, downloaded, or built, in this order.

    Raises ToolError, and leaves nothing half-made behind.
    """
    found = find(tool)
    if found:
        return found
    target = cached_path(tool)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two checkouts share the cache
        if target.exists():
            return target
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            fresh = Path(folder) / tool.name
            _download_or_build(tool, fresh, progress)
            fresh.chmod(0o755)
            if tool.version_arguments is not None and not _prints_version(fresh, tool):
                raise ToolError(f"{tool.name}: expected it to print version {tool.version}, it does not")
            for companion in set(fresh.parent.iterdir()) - {fresh}:
                companion.rename(target.parent / companion.name)
            fresh.rename(target)  # last: that it is there says that all are
    return target


def find(tool: Tool) -> Path | None:
    """The command on PATH, if it is exactly of the pinned version. What `make shell` puts there is none: it is ours."""
    ours = (places.cache(), places.state())
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(":") if not _within(Path(folder), ours)]
    path = shutil.which(tool.name, path=":".join(folders))
    return Path(path) if path and _prints_version(Path(path), tool) else None


def cached_path(tool: Tool) -> Path:
    """Where the cache keeps this version, built by this recipe, for this architecture."""
    return places.cache() / "tools" / f"{tool.name}-{tool.version}-{architecture()}-{_recipe(tool)}" / tool.name


def architecture() -> str:
    """This machine's architecture, in Go's words."""
    try:
        return ARCHITECTURES[platform.machine()]
    except KeyError:
        known = " or ".join(ARCHITECTURES)
        raise ToolError(f"architecture: expected {known}, found {platform.machine()}") from None


def downloads_allowed() -> bool:
    """`HOMESPUN_DOWNLOADS=no` is for machines that reach a Go module proxy but not the projects' own sites."""
    return os.environ.get("HOMESPUN_DOWNLOADS", "yes") != "no"


def _recipe(tool: Tool) -> str:
    sources = sorted(GO_MODULES.joinpath(tool.module.folder).iterdir())
    return hashlib.sha256(repr(tool).encode() + b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]


def _within(folder: Path, places_: tuple[Path, ...]) -> bool:
    return any(folder.is_relative_to(place) for place in places_)


def _prints_version(command: Path, tool: Tool) -> bool:
    if tool.version_arguments is None:
        return False
    try:
        ran = subprocess.run([command, *tool.version_arguments], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    exactly = rf"(?<![\d.])v?{re.escape(tool.version)}(?![\d.])"
    return ran.returncode == 0 and re.search(exactly, ran.stdout + ran.stderr) is not None


def _download_or_build(tool: Tool, target: Path, progress: Progress) -> None:
    refused = "downloads are off (HOMESPUN_DOWNLOADS=no)"
    if tool.release is None:
        refused = "there is none"
    elif downloads_allowed():
        try:
            download(tool.release, tool.version, target, progress)
        except (urllib.error.URLError, TimeoutError) as error:
            refused = str(error)
        else:
            return
    if not shutil.which("go"):
        raise ToolError(
            f"{tool.name} {tool.version}: not on PATH; the official download failed ({refused}); and there is no Go"
            f" to build it with. Put {tool.name} {tool.version} on PATH, or install Go 1.26 or later"
        )
    build(tool.module, tool.version, target, progress)


def download(release: Release, version: str, target: Path, progress: Progress) -> None:
    """Fetch the official release, held against its published sha256, into `target`; what belongs beside it, beside it.

    Raises URLError or TimeoutError where the site can't be reached, ToolError where the sum is another.
    """
    names = {
        "version": version,
        "arch": architecture(),
        "node_arch": NODE_ARCHITECTURES[architecture()],
        "goreleaser_arch": GORELEASER_ARCHITECTURES[architecture()],
    }
    url, checksum_url = release.url.format(**names), release.checksum_url.format(**names)
    with urllib.request.urlopen(checksum_url, timeout=10) as answer:
        expected = checksum_of(answer.read().decode(), url.rsplit("/", 1)[1])
    if expected is None:
        raise ToolError(f"{checksum_url}: expected a sha256 for {url}, found none")
    # An archive is kept: several commands may come out of one.
    archive = places.cache() / "downloads" / expected
    if not archive.exists():
        _fetch(url, expected, archive, progress)
    if release.member is None:
        archive.rename(target)
        return
    with tarfile.open(archive) as tar:
        _extract(tar, release.member.format(**names), target, url)
        for path in release.beside:
            _extract(tar, path.format(**names), target.parent / Path(path).name, url)


def _fetch(url: str, expected: str, archive: Path, progress: Progress) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial")
    kind = "sha512" if len(expected) == SHA512_DIGITS else "sha256"
    digest = hashlib.new(kind)
    with urllib.request.urlopen(url, timeout=10) as answer, partial.open("wb") as out:
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while block := answer.read(1 << 20):
            out.write(block)
            digest.update(block)
            done += len(block)
            progress("downloading", 100 * done // total if total else 0)
    if digest.hexdigest() != expected:
        partial.unlink()
        raise ToolError(f"{url}: expected {kind} {expected}, got {digest.hexdigest()}; nothing was kept")
    partial.rename(archive)


def _extract(tar: tarfile.TarFile, path: str, target: Path, url: str) -> None:
    try:
        member = tar.extractfile(path)
    except KeyError:
        member = None
    if member is None:
        raise ToolError(f"{url}: expected a file {path} in it, found none")
    with target.open("wb") as out:
        shutil.copyfileobj(member, out)
    target.chmod(0o755)


def checksum_of(text: str, file_name: str) -> str | None:
    """The sum for `file_name` in a sums file: the bare sum, or `sum  name` lines (sha256sum(1))."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) == 1:
        return lines[0][0]
    return next((words[0] for words in lines if words[-1].lstrip("*") == file_name), None)


def build(module: GoModule, version: str, target: Path, progress: Progress) -> None:
    """`go build` of the module's package into `target`. Raises ToolError with the compiler's last lines."""
    folder = GO_MODULES / module.folder
    environment = {**COMPILERS_ENVIRONMENT, **os.environ, "CGO_ENABLED": "1" if module.cgo else "0"}
    tags = ["-tags", module.tags] if module.tags else []
    progress("building", 0)
    listed = subprocess.run(
        ["go", "list", "-deps", *tags, module.package], cwd=folder, env=environment, capture_output=True, text=True
    )
    if listed.returncode:
        raise ToolError(f"{module.package} {version}: its Go module can't be had:\n{_last_lines(listed.stderr)}")
    total = len(listed.stdout.splitlines())
    major, minor = version.split(".")[:2]
    ldflags = f"-s -w {module.ldflags.format(version=version, major=major, minor=minor)}".strip()
    command = ["go", "build", "-v", "-trimpath", WITHOUT_DWARF, *tags, "-ldflags", ldflags, "-o", str(target),
               module.package]  # fmt: skip
    lines: list[str] = []
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as compiler:
        assert compiler.stderr is not None
        for line in compiler.stderr:  # -v prints a line for each package as it is compiled
            lines.append(line)
            progress("building", min(99, 100 * len(lines) // total))
    if compiler.returncode:
        raise ToolError(f"{module.package} {version}: go build failed:\n{_last_lines(''.join(lines))}")


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-8:])
