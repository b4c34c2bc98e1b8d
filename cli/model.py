"""`make model FROM=folder`: a model's folder into the claim `models`."""

from pathlib import Path

from cli import copy
from cli.copy import Folder, named
from cli.errors import CommandFailed
from stacks.platform.manifests import MODELS
from workloads.inference.sources import needed


def bring(stack: str, path: Path, name: str, replace: bool) -> None:
    """Copy a folder into an environment's claim, and say how to serve it. Raises CommandFailed, SettingsError."""
    folder = look(path.expanduser(), name)
    digest = copy.bring(stack, MODELS, folder, replace)
    if folder.left_out:
        names = ", ".join([*map(str, folder.left_out[:3]), *(["…"] if folder.left_out[3:] else [])])
        print(f"left out {len(folder.left_out)} files that nothing here reads: {names}")
    print(
        f"next     an InferenceModel with source: {{uri: pvc://{MODELS}/{folder.name}}}; to pin what was copied, with"
    )
    print(f"         revision: {digest}")
    if replace:
        print("         what was served from a folder of that name goes on until its `source` changes")


def look(path: Path, name: str = "") -> Folder:
    """The folder. Raises CommandFailed where it can't be a model."""
    name = named(path, name)
    files = sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())
    read = tuple(file for file in files if needed(file.as_posix()))
    if not any(file.suffix == ".onnx" for file in read):
        raise CommandFailed(
            f"FROM={path}: expected model.onnx or onnx/model.onnx in it, found none; export it first:"
            " examples/inference/export.py"
        )
    return Folder(path, name, read, tuple(file for file in files if file not in read))
