"""Where records come from: files, on a mounted claim or fetched from elsewhere (`bucket`)."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from workloads.edge.digests import sha256_of
from workloads.vectors.ingest.errors import SettingsError
from workloads.vectors.ingest.patterns import matcher, scope
from workloads.vectors.ingest.records import fields_of
from workloads.vectors.ingestion import Ingestion

LOOKED_AT: Final = 100
"""Lines of each file that are looked at before the work begins."""


class Listing(Protocol):
    """What there is, before it is read."""

    @property
    def size(self) -> int:
        """Bytes, of all files."""

    def identities(self) -> Iterator[str]:
        """What each file's name, size and content make it, in the order of their names."""

    def fetch(self, scratch: Path) -> "Source":
        """The files, within reach; what has to be brought here is put into the folder `scratch`."""


@dataclass(frozen=True)
class Part:
    """The lines that begin in these bytes of a file."""

    file: Path
    name: str
    """How the file is called in reports."""
    begin: int
    end: int

    def lines(self) -> Iterator[tuple[bytes, str]]:
        """Each line with the name of its file."""
        with self.file.open("rb") as content:
            place = self.begin
            if place:
                content.seek(place - 1)
                place += len(content.readline()) - 1  # what began before, or no more than the end of that
            while place < self.end and (line := content.readline()):
                place += len(line)
                yield line.removesuffix(b"\n"), self.name


@dataclass(frozen=True)
class Source:
    """Files within reach. Those of a claim are so from the start."""

    names: Mapping[Path, str]
    """How each file is called in reports; in the order of these names."""

    @property
    def size(self) -> int:
        """Bytes, of all files."""
        return sum(file.stat().st_size for file in self.names)

    def identities(self) -> Iterator[str]:
        """Name, size and sha256 (hex) of each file."""
        for file, name in self.names.items():
            yield f"{name}\0{file.stat().st_size}\0{sha256_of(file)}"

    def fetch(self, scratch: Path) -> "Source":
        """Itself."""
        return self

    def lines(self) -> Iterator[tuple[bytes, str]]:
        """Each line with the name of its file."""
        for file, name in self.names.items():
            yield from Part(file, name, 0, file.stat().st_size).lines()

    def parts(self, most: int) -> Iterator[Part]:
        """All of it, in pieces of at most so many bytes, but for the end of a piece's last line."""
        for file, name in self.names.items():
            size = file.stat().st_size
            for begin in range(0, size, most):
                yield Part(file, name, begin, min(begin + most, size))


def digest(listing: Listing, *also: str) -> str:
    """sha256 (hex) over the identities of all files, and what else decides the outcome."""
    found = hashlib.sha256("\0".join(also).encode())
    for identity in listing.identities():
        found.update(f"\0{identity}".encode())
    return found.hexdigest()


def folder_of(uri: str, claims: Path) -> tuple[Path, str]:
    """The folder of the claim that a `pvc://claim/path` names, and the path in it. Raises SettingsError."""
    scheme, _, rest = uri.partition("://")
    claim, _, path = rest.partition("/")
    if scheme != "pvc" or not claim or claim in (".", "..") or ".." in Path(path).parts or Path(path).is_absolute():
        raise SettingsError(f"{uri}: expected pvc://claim/folder/*.jsonl")
    if not (claims / claim).is_dir():
        raise SettingsError(f"{uri}: expected a mounted claim {claim!r}, found none; make it and put the files there")
    return claims / claim, path


def find(ingestion: Ingestion, claims: Path) -> Source:
    """The files of a `pvc://` source; what lies in its state folder is none. Raises SettingsError."""
    root, pattern = folder_of(ingestion.source, claims)
    holder, state = folder_of(ingestion.state, claims)
    own = holder / state
    found = sorted(file for file in _matching(root, pattern or "*.jsonl") if own not in file.parents)
    if not found:
        there = sorted(entry.name for entry in root.iterdir())[:8]
        raise SettingsError(
            f"{ingestion.source}: expected files, found none; the claim holds {', '.join(there) or 'nothing'}"
        )
    return Source({file: str(file.relative_to(root)) for file in found})


def _matching(root: Path, pattern: str) -> Iterator[Path]:
    """The files in a folder that a pattern matches.

    Wildcards look into no folder by a link, which may be a circle, and into none that begins with a dot: there other
    collections and training jobs have what they keep in a claim.
    """
    pattern = PurePosixPath(pattern).as_posix()
    (prefix, deep), wanted = scope(pattern), matcher(pattern)
    for folder, folders, names in os.walk(root / prefix.rpartition("/")[0]):
        files = (Path(folder, name) for name in names)
        yield from (file for file in files if wanted.fullmatch(file.relative_to(root).as_posix()) and file.is_file())
        folders[:] = [name for name in folders if deep and not name.startswith(".")]


def check_fields(source: Source, ingestion: Ingestion) -> None:
    """Raises SettingsError if a field that every record needs is in no line at the files' beginnings."""
    seen: set[str] = set()
    for file in source.names:
        with file.open("rb") as content:
            seen.update(*map(fields_of, islice(content, LOOKED_AT)))
    needed = {"idField": [ingestion.id_field], "sourceFields": [*ingestion.text_fields]}
    for where, names in needed.items():
        if missing := [name for name in names if name not in seen]:
            raise SettingsError(
                f"{where}: expected a field {missing[0]!r} in the records of {ingestion.source}, found"
                f" {', '.join(sorted(seen)[:20]) or 'no JSON object in any line'}; name one of them"
            )
