"""Checkpoints of model and optimizer by all workers together, into a folder that all of them see.

torch.distributed.checkpoint writes a file a worker, and reads what it needs of any number of them, so that a run may
go on with more workers or fewer, under another strategy. What a step does is a function of weights, optimizer state,
seed and step alone (`order`, no dropout), so there is no random state to keep.
"""

import re
import shutil
from pathlib import Path

import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.optim import Optimizer

from workloads.training import manifest
from workloads.training.config import Checkpoint
from workloads.training.manifest import Damaged, Manifest, Provenance
from workloads.training.parallel import from_first


def save(
    folder: Path, step: int, provenance: Provenance, keep: int, model: nn.Module, optimizer: Optimizer
) -> Checkpoint:
    """Keep the state after `step` steps, and the `keep` newest; on disk, whole or not at all, when it returns."""
    target, landing = folder / _name(step), folder / f".{_name(step)}.part"
    first = dist.get_rank() == 0
    if first:
        shutil.rmtree(landing, ignore_errors=True)
        landing.mkdir(parents=True)
    dist.barrier()
    weights, moments = get_state_dict(model, optimizer)
    dcp.save({"model": weights, "optimizer": moments}, checkpoint_id=landing)
    digest = ""
    if first:
        digest = manifest.write(landing, step, provenance).digest
        shutil.rmtree(target, ignore_errors=True)  # a damaged one, or of the steps that are done again
        landing.rename(target)
        manifest.sync(folder)
        for old in _steps(folder, up_to=step)[keep:]:
            shutil.rmtree(folder / _name(old))
    return Checkpoint(step, from_first(digest))


def newest(folder: Path) -> tuple[Manifest | None, tuple[str, ...]]:
    """The newest checkpoint that is as it was written, and what was found wrong with those after it.

    Raises InvalidJob for one that a newer version wrote.
    """
    rejected: list[str] = []
    for step in _steps(folder):
        try:
            return manifest.verify(folder / _name(step)), tuple(rejected)
        except Damaged as damage:
            rejected.append(str(damage))
    return None, tuple(rejected)


def load(folder: Path, step: int, model: nn.Module, optimizer: Optimizer) -> None:
    """Take up the state after `step` steps, each worker its share."""
    weights, moments = get_state_dict(model, optimizer)
    state = {"model": weights, "optimizer": moments}
    dcp.load(state, checkpoint_id=folder / _name(step))
    set_state_dict(model, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])


def _name(step: int) -> str:
    return f"step-{step:08}"


def _steps(folder: Path, up_to: int | None = None) -> list[int]:
    """Newest first."""
    named = (re.fullmatch(r"step-(\d{8})", path.name) for path in folder.glob("step-*"))
    found = [int(name[1]) for name in named if name]
    return sorted((step for step in found if up_to is None or step <= up_to), reverse=True)
