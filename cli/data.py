"""`make data FROM=folder`: texts or records into the claim `data`, all files of the folder."""

import time
from pathlib import Path

from cli.copy import Folder, copy, named
from cli.errors import CommandFailed, make
from cli.kubectl import cluster
from stacks import settings
from stacks.platform.manifests import DATA
from tools import screen


def bring(stack: str, path: Path, name: str, replace: bool) -> None:
    """Copy a folder, and say what it is called in the claim. Raises CommandFailed, SettingsError."""
    started = time.monotonic()
    found = settings.platform(stack)
    folder = look(path.expanduser(), name)
    copy(cluster(stack, found), found.namespace, DATA, folder, make("up", stack), replace)
    screen.line("")
    took = time.monotonic() - started
    print(f"copied   {folder.name}: {len(folder.files)} files, {folder.size / 1e6:.1f} MB, {took:.0f} s")
    print(
        f"next     pvc://{DATA}/{folder.name} in a TrainingJob,"
        f" pvc://{DATA}/{folder.name}/*.jsonl in a VectorCollection"
    )


def look(path: Path, name: str = "") -> Folder:
    """The folder with all its files. Raises CommandFailed where there are none."""
    name = named(path, name)
    files = tuple(sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file()))
    if not files:
        raise CommandFailed(f"FROM={path}: expected files in it, found none")
    return Folder(path, name, files)
