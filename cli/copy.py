"""A folder of this box into a claim, by a pod that mounts it."""

import re
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from cli.claims import in_phase, mounted, phase, stuck
from cli.errors import CommandFailed, make
from cli.kubectl import Kubectl, cluster
from cli.waiting import wait
from stacks import settings
from tools import screen
from workloads.edge.digests import sha256_of
from workloads.inference import manifest
from workloads.inference.receive import OTHER_CONTENT

CHUNK_BYTES: Final = 1 << 20
END_SECONDS: Final = 600
"""From the last byte on: the pod still reads all of it once more, for its digest."""


class CopyRefused(CommandFailed):
    """There is a folder of that name with other content."""


@dataclass(frozen=True)
class Folder:
    """What of a folder on this box is copied."""

    path: Path
    name: str
    """Of the folder on the claim."""
    files: tuple[Path, ...]
    """Relative."""
    left_out: tuple[Path, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum((self.path / file).stat().st_size for file in self.files)

    def digest(self) -> str:
        """Of what is copied. Reads all of it."""
        return manifest.digest({file.as_posix(): sha256_of(self.path / file) for file in self.files})


def named(path: Path, name: str) -> str:
    """The folder's name in a claim. Raises CommandFailed where it can't be one, or is no folder."""
    name = name or path.resolve().name.lower()
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,48}[a-z0-9])?", name):
        raise CommandFailed(
            f"NAME: expected at most 50 lower-case letters, digits, dots and dashes, got {name!r}; say NAME=…"
        )
    if not path.is_dir():
        raise CommandFailed(f"FROM={path}: expected a folder, found {'a file' if path.exists() else 'none'}")
    return name


def bring(stack: str, claim: str, folder: Folder, replace: bool) -> str:
    """Copy a folder into an environment's claim and say what it took; its digest. Raises CommandFailed."""
    started = time.monotonic()
    found = settings.platform(stack)
    digest = copy(cluster(stack, found), found.namespace, claim, folder, make("up", stack), replace)
    screen.line("")
    took = time.monotonic() - started
    print(f"copied   {folder.name}: {screen.amount(len(folder.files), folder.size)}, {took:.0f} s")
    return digest


def copy(kubectl: Kubectl, namespace: str, claim: str, folder: Folder, advice: str, replace: bool = False) -> str:
    """Put it into the claim; its digest. After a CommandFailed the claim is as before.

    One of that name with other content is refused, unless `replace`: it may be in use.

    `advice` is the command that brings the platform up, should there be none.
    """
    digest = folder.digest()
    pod = f"copy-{claim}-{folder.name}"
    command = ["python", "-m", "workloads.inference.receive", folder.name, digest, *(["--replace"] if replace else [])]
    with mounted(kubectl, namespace, claim, pod, command, advice):
        with kubectl.feed("-n", namespace, "attach", "--stdin", pod) as pipe:
            _send(folder, pipe)
        if wait(lambda: in_phase(kubectl, namespace, pod, "Running"), f"copy  {folder.name}", END_SECONDS):
            raise stuck(END_SECONDS, "it goes on")
        match phase(kubectl, namespace, pod):
            case "Succeeded":
                return digest
            case "Failed":
                said = kubectl.run("-n", namespace, "logs", pod).strip()
            case other:
                said = f"its pod is {other}: is another copy of that name under way?"
        failure = CopyRefused if OTHER_CONTENT in said else CommandFailed
        raise failure(f"{folder.name}: expected it to be copied into the claim {claim}, but: {said}")


def _send(folder: Folder, pipe: IO[bytes]) -> None:
    # A hub's cache holds links to its files: what they lead to is meant.
    sent, size, progress = 0, folder.size, screen.Percent(f"copy  {folder.name}")
    with tarfile.open(fileobj=pipe, mode="w|", dereference=True, bufsize=CHUNK_BYTES) as archive:
        for file in folder.files:
            archive.add(folder.path / file, file.as_posix(), recursive=False)
            sent += (folder.path / file).stat().st_size
            progress.show("copy", 100 * sent // max(1, size))
