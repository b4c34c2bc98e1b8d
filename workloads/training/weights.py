"""Models on disk, as the hub has them: model.safetensors, config.json, tokenizer.json."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from workloads.training.config import Family, Model, Shape
from workloads.training.errors import InvalidJob
from workloads.training.models import bert, gpt2

MODULES: Final[Mapping[Family, ModuleType]] = {Family.GPT2: gpt2, Family.BERT: bert}
FRESH: Final = "cls.predictions."
"""What an encoder's file may lack: BERT's head, which then starts from random weights."""


def build(family: Family, shape: Shape) -> nn.Module:
    """A model with random weights, by torch's global generator."""
    return gpt2.GPT2(shape) if family is Family.GPT2 else bert.Bert(shape)


def shape(model: Model) -> Shape:
    """The shape that a job's model has. Raises InvalidJob."""
    module = MODULES[model.family]
    if model.shape:
        return model.shape
    if model.size:
        if model.size not in module.SIZES:
            known = ", ".join(module.SIZES)
            raise InvalidJob(
                f"model.size: expected one of {known} for {model.family}, got {model.size}; or give a shape"
            )
        size: Shape = module.SIZES[model.size]
        return size
    return read_shape(model.family, _beside(Path(model.init), "config.json"))


def read_shape(family: Family, file: Path) -> Shape:
    """The shape in a config.json. Raises InvalidJob."""
    try:
        found: Shape = MODULES[family].shape_of(json.loads(file.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidJob(
            f"{file}: expected a config.json of {family}, found {type(error).__name__}: {error}"
        ) from error
    return found


def load(model: nn.Module, family: Family, path: Path) -> None:
    """Fill a model of ours from a safetensors file, or the one in a folder. Raises InvalidJob."""
    file = _beside(path, "model.safetensors") if path.is_dir() else path
    try:
        state = MODULES[family].from_hub(load_file(file))
    except (OSError, SafetensorError) as error:
        raise InvalidJob(f"{file}: expected a safetensors file, found {type(error).__name__}: {error}") from error
    ours = model.state_dict()
    if missing := [name for name in ours if name not in state and not name.startswith(FRESH)]:
        raise InvalidJob(f"{file}: expected weights of {family}, found none named {', '.join(missing[:3])}")
    if unknown := [name for name in state if name not in ours]:
        raise InvalidJob(
            f"{file}: found {', '.join(unknown[:3])}, which {family} of this shape has not; mend model.shape"
        )
    for name, weight in state.items():
        if weight.shape != ours[name].shape:
            raise InvalidJob(
                f"{file}: {name}: expected the shape {tuple(ours[name].shape)}, found {tuple(weight.shape)}; "
                "mend model.shape"
            )
    model.load_state_dict(state, strict=False)


def save(state: Mapping[str, Tensor], family: Family, shape: Shape, tokenizer: Path, folder: Path) -> None:
    """Write a model as a folder that the hub's libraries open; it takes its name once it is whole."""
    module, landing = MODULES[family], folder.with_name(f".{folder.name}.part")
    shutil.rmtree(landing, ignore_errors=True)
    landing.mkdir(parents=True)
    weights = {name: weight.contiguous() for name, weight in module.to_hub(state).items()}
    save_file(weights, landing / "model.safetensors", metadata={"format": "pt"})
    (landing / "config.json").write_text(json.dumps(module.config_of(shape), indent=1))
    shutil.copyfile(tokenizer, landing / "tokenizer.json")
    for file in landing.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())
    shutil.rmtree(folder, ignore_errors=True)
    landing.rename(folder)


def _beside(path: Path, name: str) -> Path:
    return path / name if path.is_dir() else path.with_name(name)
