"""`torchrun … -m workloads.training train --job job.json`: one worker of a training run."""

import argparse
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from workloads.edge.document import ConfigError
from workloads.training import checkpoints, config, manifest, order, parallel, schedule, tokens, weights
from workloads.training.config import Checkpoint, Job, Progress, Shape, State
from workloads.training.errors import InvalidJob
from workloads.training.manifest import Manifest, Provenance
from workloads.training.objectives import Objective, objective
from workloads.training.parallel import Worker
from workloads.training.progress import Report
from workloads.training.tokens import Tokens

EDITED: Final = (
    "data: the text or the tokenizer was changed since the run began: it goes on with the tokens that it began with; "
    "train into another folder for the changed ones"
)


@dataclass(frozen=True)
class Beginning:
    """What a start goes on from, the same for all workers."""

    data: Tokens
    found: Manifest | None
    """The newest checkpoint that is whole."""
    rejected: tuple[str, ...]
    """Those after it, with what is wrong with each."""
    message: str
    """What people ought to know of it, '' for nothing."""


def main(arguments: list[str]) -> int:
    """Train until the job's last step. INVALID_JOB_EXIT where no retry can help."""
    parser = argparse.ArgumentParser(prog="python -m workloads.training train", description=__doc__)
    parser.add_argument("--job", type=Path, required=True, help="the document of workloads/training/config.py")
    path = parser.parse_args(arguments).job
    try:
        job = config.parse(path.read_text())
    except (OSError, ConfigError) as error:
        return _invalid(f"{path}: {error}", None)
    try:
        train(job)
    except InvalidJob as error:
        return _invalid(f"{path}: {error}", job)
    return 0


def train(job: Job) -> None:
    """Be one worker of the run, from the newest good checkpoint to the finished model. Raises InvalidJob."""
    folder = Path(job.checkpoints.folder)
    kept = folder / config.CHECKPOINTS_FOLDER
    shape = weights.shape(job.model)
    with parallel.joined() as worker:
        beginning = parallel.decided(lambda: _beginning(job, shape, kept))
        data, found = beginning.data, beginning.found
        provenance = _provenance(job, shape, data)
        _check(job, shape, data, worker.workers)
        batches = objective(job, data)
        torch.manual_seed(job.seed)
        plain = weights.build(job.model.family, shape)
        if job.model.init:
            weights.load(plain, job.model.family, Path(job.model.init))
        parameters = sum(parameter.numel() for parameter in plain.parameters())
        strategy = parallel.choose(job.strategy, parameters, parallel.memory(worker.device))
        model = parallel.apply(plain, strategy, worker)
        optimizer = _adamw(model, job)

        report = None
        if worker.rank == 0:
            starting = Progress(State.STARTING, steps=job.steps, workers=worker.workers, strategy=strategy)
            report = Report(folder, replace(starting, parameters=parameters))
        if found:
            checkpoints.load(kept, found.step, model, optimizer)
        checkpoint = Checkpoint(found.step, found.digest) if found else None
        if report:
            report.start(checkpoint, beginning.rejected, beginning.message)
            tokens.remove_outdated(folder / config.TOKENS_FOLDER, data)

        for step in range(found.step if found else 0, job.steps):
            loss = _step(step, job, model, optimizer, batches, worker)
            if report:
                report.step(step + 1, loss, job.global_batch_tokens)
            if (step + 1) % job.checkpoints.every_steps == 0 or step + 1 == job.steps:
                if report:
                    report.keep()
                checkpoint = checkpoints.save(kept, step + 1, provenance, job.checkpoints.keep, model, optimizer)
                if report:
                    report.tell(replace(report.progress, checkpoint=checkpoint))
        state = parallel.whole_state(model)
        if report:
            tokenizer = data.folder / tokens.TOKENIZER
            weights.save(state, job.model.family, shape, tokenizer, folder / config.MODEL_FOLDER)
            report.tell(replace(report.progress, state=State.FINISHED, remaining_seconds=0.0))


def _step(
    step: int, job: Job, model: nn.Module, optimizer: torch.optim.Optimizer, batches: Objective, worker: Worker
) -> float:
    """One step of all workers; returns the loss over the whole batch, nats a token."""
    size = job.global_batch_tokens // job.data.sequence_length
    places = order.batch(job.seed, step, size, batches.total)
    parts = list(order.microbatches(order.share(worker.rank, worker.workers, size), job.microbatch))
    total = torch.zeros((), device=worker.device)
    for number, part in enumerate(parts, start=1):
        inputs, targets = (
            torch.from_numpy(array).to(worker.device) for array in batches.batch([places[place] for place in part])
        )  # (B, T)
        with parallel.accumulated(model, last=number == len(parts)):
            logits = model(inputs)  # (B, T, V)
            loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=order.NO_TARGET)
            (loss / len(parts)).backward()
        total += loss.detach() / len(parts)
    if job.optimizer.clip:
        nn.utils.clip_grad_norm_(model.parameters(), job.optimizer.clip, foreach=False)
    for group in optimizer.param_groups:
        group["lr"] = schedule.learning_rate(step, job.steps, job.optimizer)
    optimizer.step()
    optimizer.zero_grad()
    return parallel.average(total)


def _adamw(model: nn.Module, job: Job) -> torch.optim.Optimizer:
    """AdamW that decays matrices only (Loshchilov and Hutter 2019; which ones, by Brown et al. 2020)."""
    named = job.optimizer
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": named.weight_decay},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    betas = (named.beta1, named.beta2)
    # One parameter at a time: the kernels over lists of them don't know shards on gloo.
    return torch.optim.AdamW(groups, lr=named.learning_rate, betas=betas, foreach=False)


def _beginning(job: Job, shape: Shape, kept: Path) -> Beginning:
    """Look for checkpoints, and have the tokens: the first worker's part. Raises InvalidJob.

    The others take its word: asked for itself, each would say of a text that is edited in between that it is another.
    """
    found, rejected = checkpoints.newest(kept)
    data, message = _data(job, found)
    if found:
        _check_resumed(found.provenance, _provenance(job, shape, data), kept)
    return Beginning(data, found, rejected, message)


def _data(job: Job, found: Manifest | None) -> tuple[Tokens, str]:
    """The tokens, prepared by somebody or here, and what is to be said of them. Raises InvalidJob.

    A run that has begun goes on with those that it began with, as long as they are there, whatever became of the text.
    Before its first checkpoint it has not begun: those of a text that was edited are made anew, and where a run's own
    are gone, what was made in their place is held against them (`_check_resumed`).
    """
    source, tokenizer = Path(job.data.path), Path(job.data.tokenizer)
    if tokens.prepared(source):
        return tokens.read(source), ""
    if not job.data.tokenizer:
        raise InvalidJob(f"data.tokenizer: expected one, since {source} is not prepared, got ''")
    kept = Path(job.checkpoints.folder) / config.TOKENS_FOLDER
    if found and (begun := tokens.of(kept, found.provenance.data)):
        return begun, EDITED if _edited(begun.folder, kept, source, tokenizer) else ""
    folder = kept / tokens.identity(source, tokenizer)
    if tokens.prepared(folder):
        return tokens.read(folder), ""
    return tokens.prepare(source, tokens.open_tokenizer(tokenizer), folder), ""


def _edited(begun: Path, kept: Path, source: Path, tokenizer: Path) -> bool:
    """Whether text or tokenizer are others by now than those that the tokens in `begun` were made of, or gone."""
    if begun == kept:  # as it was laid out before it had names within
        return False
    try:
        return begun.name != tokens.identity(source, tokenizer)
    except InvalidJob:
        return True


def _provenance(job: Job, shape: Shape, data: Tokens) -> Provenance:
    return Provenance(
        data.sha256, job.model.family, asdict(shape), job.seed, job.global_batch_tokens, job.data.sequence_length
    )


def _check(job: Job, shape: Shape, data: Tokens, workers: int) -> None:
    """What only model, data and workers together show. Raises InvalidJob."""
    if job.data.sequence_length > shape.context:
        raise InvalidJob(
            f"data.sequence_length (seqLen): expected at most the model's context {shape.context}, "
            f"got {job.data.sequence_length}"
        )
    if data.vocabulary > shape.vocabulary:
        raise InvalidJob(
            f"model: expected a vocabulary of at least the tokenizer's {data.vocabulary}, got {shape.vocabulary}"
        )
    size = job.global_batch_tokens // job.data.sequence_length
    if size % workers:
        raise InvalidJob(
            f"global_batch_tokens: expected sequences for {workers} workers alike, got {size} of "
            f"{job.data.sequence_length} tokens; take a multiple of {workers * job.data.sequence_length}"
        )


def _check_resumed(found: Provenance, expected: Provenance, kept: Path) -> None:
    """A run goes on with what it was begun with, or not at all. Raises InvalidJob.

    Its order of the data is a function of seed, step, batch and sequence over the tokens it was begun with: with
    others, sequences would be left out or come twice, and the curve would say nothing of it. Tokens count by their
    content: a text that was copied anew, or edited and put back, is the same.
    """
    if wrong := manifest.difference(found, expected):
        raise InvalidJob(f"{kept}: {wrong}; then delete the job and declare it anew: its checkpoints stay")


def _invalid(message: str, job: Job | None) -> int:
    """Tell it where progress is told; each worker does: at the first one's end, torchrun ends the others."""
    print(message, file=sys.stderr)
    if job:
        report = Report(Path(job.checkpoints.folder), Progress(State.INVALID, steps=job.steps, message=message))
        report.tell(report.progress)
    return config.INVALID_JOB_EXIT
