"""How workers share a model, applied from outside: the model files know nothing of it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from workloads.training.config import Strategy
from workloads.training.errors import InvalidJob
from workloads.training.models import bert, gpt2

Value = TypeVar("Value")

TIMEOUT: Final = timedelta(minutes=5)
"""How long a worker waits for the others, at the start and in each step, before it takes them for lost."""
PATIENCE: Final = timedelta(days=1)
"""How long a worker waits for what the first one has to make or read before the first step: a corpus takes hours."""
UNITS: Final = (gpt2.Block, bert.Layer)
"""Whose weights are gathered and let go together: one layer's are whole at a time, and the next one's on their way."""
BYTES_A_PARAMETER: Final = 16
"""Of a whole replica in fp32: the weight, its gradient, and AdamW's two moments."""


@dataclass(frozen=True)
class Worker:
    """This process among all of them."""

    rank: int
    workers: int
    device: torch.device


@contextmanager
def joined() -> Iterator[Worker]:
    """Be one of torchrun's workers, or the only one where there is no torchrun: NCCL on GPUs, gloo on CPUs."""
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    backend = "nccl" if gpu else "gloo"
    if "RANK" in os.environ:
        dist.init_process_group(backend, timeout=TIMEOUT)
    else:
        dist.init_process_group(backend, rank=0, world_size=1, store=dist.HashStore(), timeout=TIMEOUT)
    try:
        yield Worker(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()


def from_first(value: Value, group: dist.ProcessGroup | None = None) -> Value:
    """What the first worker has, on all of them."""
    values = [value]
    dist.broadcast_object_list(values, group=group)
    return values[0]


def decided(decide: Callable[[], Value]) -> Value:
    """What the first worker decides, on all of them; none of the others calls `decide`. Raises InvalidJob on all alike.

    Nothing of it lies in a file, which might be an earlier start's. A first worker that ends without an answer closes
    its connections, and so ends the others.
    """
    patient = dist.new_group(timeout=PATIENCE, backend="gloo")  # the workers' own group gives up after TIMEOUT
    decision: Any = None
    if dist.get_rank() == 0:
        try:
            decision = decide()
        except InvalidJob as wrong:
            # If it were raised here alone, the others would end of a lost connection, with an exit code that asks for
            # another try; whichever is seen first would count.
            decision = wrong
    found: Value | InvalidJob = from_first(decision, patient)
    if isinstance(found, InvalidJob):
        raise found
    return found


def choose(asked: Strategy, parameters: int, memory: int) -> Strategy:
    """The strategy for a model of so many parameters on workers of `memory` bytes each."""
    if asked is not Strategy.AUTO:
        return asked
    return Strategy.FSDP2 if parameters * BYTES_A_PARAMETER > memory // 2 else Strategy.DDP


def memory(device: torch.device) -> int:
    """Of one worker, bytes: its GPU's, or its part of the machine's."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return machine // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def apply(model: nn.Module, strategy: Strategy, worker: Worker) -> nn.Module:
    """The model, shared by all workers. Made before the optimizer, which has to see the shards."""
    model = model.to(worker.device)
    if strategy is Strategy.FSDP2:
        mesh = init_device_mesh(worker.device.type, (worker.workers,))
        for unit in [module for module in model.modules() if isinstance(module, UNITS)]:
            fully_shard(unit, mesh=mesh)
        return fully_shard(model, mesh=mesh)  # last: it takes what no layer has, embeddings and head
    return DistributedDataParallel(model) if worker.workers > 1 else model


@contextmanager
def accumulated(model: nn.Module, last: bool) -> Iterator[None]:
    """Within, gradients are summed on each worker, and averaged over the workers with the last part of a batch only."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(last)
        yield
    elif isinstance(model, DistributedDataParallel) and not last:
        with model.no_sync():
            yield
    else:
        yield


def average(value: Tensor) -> float:
    """Over all workers."""
    dist.all_reduce(value)
    return float(value / dist.get_world_size())


def whole_state(model: nn.Module) -> dict[str, Tensor]:
    """All weights on the first worker's CPU, by the names of the plain model; nothing on the others."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state: dict[str, Any] = get_model_state_dict(model, options=options)
    return state
