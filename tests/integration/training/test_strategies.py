"""How many workers there are, and how they share the work, does not show in the loss curve."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.training.conftest import STEPS
from tests.integration.training.run import Run
from workloads.training import parallel
from workloads.training.config import Job, State, Strategy


def test_a_run_learns_and_says_that_it_is_done(sharded: Run) -> None:
    losses, told = sharded.losses(), sharded.progress()
    assert len(losses) == STEPS
    assert losses[-1] < losses[0] - 0.5
    assert (told.state, told.step, told.loss) == (State.FINISHED, STEPS, losses[-1])
    assert (told.workers, told.strategy, told.recoveries, told.rejected) == (2, Strategy.FSDP2, 0, ())
    assert told.checkpoint is not None
    assert told.checkpoint.step == STEPS


@pytest.mark.parametrize(("workers", "strategy"), [(1, Strategy.DDP), (2, Strategy.DDP)])
def test_the_curve_is_the_same_for_each_strategy(
    sharded: Run, job: Job, tmp_path: Path, workers: int, strategy: Strategy
) -> None:
    run = Run(replace(job, strategy=strategy), tmp_path / "run")
    run.finish(workers)
    assert run.losses() == pytest.approx(sharded.losses(), abs=1e-5)


def test_only_so_many_checkpoints_are_kept(sharded: Run) -> None:
    found = sorted(path.name for path in (sharded.folder / "checkpoints").iterdir())
    assert found == ["step-00000018", "step-00000024", "step-00000030"]


def test_auto_shards_what_a_worker_cannot_hold() -> None:
    assert parallel.choose(Strategy.AUTO, 124_000_000, memory=8 << 30) is Strategy.DDP
    assert parallel.choose(Strategy.AUTO, 1_558_000_000, memory=24 << 30) is Strategy.FSDP2
    assert parallel.choose(Strategy.DDP, 1_558_000_000, memory=24 << 30) is Strategy.DDP
