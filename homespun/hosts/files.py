"""Files that a machine is to have: text of ours, or artifacts that lie on the controller."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Artifact:
    """A file on the controller that a machine is to get."""

    path: str
    sha256: str


@dataclass(frozen=True)
class File:
    """A file on the machine. Its content is text of ours, or an artifact's."""

    path: str
    sha256: str
    mode: str
    content: str | None = None
    artifact: Artifact | None = None
    restarts: tuple[str, ...] = ()
    """Units that read it only when they start."""


def text(path: str, content: str, restarts: tuple[str, ...] = ()) -> File:
    """A text of ours."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    return File(path, digest, "0644", content=content, restarts=restarts)


def unit(name: str, content: str) -> File:
    """A systemd unit, which is restarted when it is another."""
    return text(f"/etc/systemd/system/{name}", content, restarts=(name,))


def binary(path: str, artifact: Artifact, restarts: tuple[str, ...] = ()) -> File:
    """A program."""
    return File(path, artifact.sha256, "0755", artifact=artifact, restarts=restarts)
