"""`make data FROM=folder`: texts or records into the claim `data`, all files of the folder."""

from pathlib import Path

from cli import copy
from cli.copy import Folder, named
from cli.errors import CommandFailed
from stacks.platform.manifests import DATA


def bring(stack: str, path: Path, name: str, replace: bool) -> None:
    """Copy a folder, and say what it is called in the claim. Raises CommandFailed, SettingsError."""
    folder = look(path.expanduser(), name)
    copy.bring(stack, DATA, folder, replace)
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
