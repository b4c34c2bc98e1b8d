"""A killed worker costs at most the steps since the last checkpoint, and nothing shows in the curve."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.integration.training.conftest import STEPS
from tests.integration.training.run import Run, children, lose
from workloads.training.config import Job, State


def test_a_worker_killed_in_mid_step_does_not_show_in_the_curve(sharded: Run, job: Job, tmp_path: Path) -> None:
    run = Run(job, tmp_path / "run")
    process = run.start(workers=2, restarts=1)
    process.until("some steps after a checkpoint", lambda: run.steps() >= 9)
    os.kill(children(process.pid)[1], signal.SIGKILL)
    assert process.wait(60) == 0, process.tail()
    told = run.progress()
    assert (told.state, told.recoveries, told.rejected) == (State.FINISHED, 1, ())
    assert run.losses() == pytest.approx(sharded.losses(), abs=1e-6)


def test_a_worker_that_was_killed_is_told_by_the_exit_code(job: Job, tmp_path: Path) -> None:
    run = Run(job, tmp_path / "run")
    process = run.start(workers=2)
    process.until("a step", lambda: run.steps() >= 1)
    os.kill(children(process.pid)[1], signal.SIGKILL)
    assert process.wait(60) == 137, process.tail()


def test_a_machine_that_comes_back_is_taken_in_again(sharded: Run, job: Job, tmp_path: Path) -> None:
    run = Run(job, tmp_path / "run")
    machines = [run.start_machine(number, port=29400) for number in (0, 1)]
    machines[0].until("some steps after a checkpoint", lambda: run.steps() >= 9)
    lose(machines[1])
    machines[1] = run.start_machine(1, port=29400)
    for machine in machines:
        assert machine.wait(60) == 0, machine.tail()
    assert run.progress().recoveries >= 1
    assert run.losses() == pytest.approx(sharded.losses(), abs=1e-6)


def test_a_run_goes_on_with_other_numbers_of_workers(sharded: Run, job: Job, tmp_path: Path) -> None:
    run = Run(job, tmp_path / "run")
    run.kill_after(step=6, workers=2)
    run.kill_after(step=18, workers=1)
    assert run.progress().recoveries == 1
    run.finish(workers=2)
    assert run.progress().recoveries == 2
    assert run.losses() == pytest.approx(sharded.losses(), abs=1e-5)


def test_a_flipped_byte_costs_the_newest_checkpoint_alone(sharded: Run, job: Job, tmp_path: Path) -> None:
    shutil.copytree(sharded.folder, tmp_path / "run")
    run = Run(job, tmp_path / "run")
    before = run.progress().checkpoint
    damaged = run.checkpoint(STEPS) / "__1_0.distcp"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    run.finish(workers=2)
    (told,) = run.progress().rejected
    assert told.startswith("step-00000030/__1_0.distcp: expected sha256")
    assert run.losses() == pytest.approx(sharded.losses(), abs=1e-6)
    after = run.progress().checkpoint
    assert before
    assert after
    assert (after.step, run.progress().state) == (before.step, State.FINISHED)


def test_a_checkpoint_that_was_never_finished_is_none(sharded: Run, job: Job, tmp_path: Path) -> None:
    shutil.copytree(sharded.folder, tmp_path / "run")
    run = Run(job, tmp_path / "run")
    (run.checkpoint(30) / "manifest.json").unlink()
    run.checkpoint(24).rename(run.folder / "checkpoints/.step-00000024.part")
    run.finish(workers=1)
    assert run.progress().rejected == ("step-00000030/manifest.json: expected a manifest, found none",)
    assert run.losses() == pytest.approx(sharded.losses(), abs=1e-5)
    assert sorted(path.name for path in (run.folder / "checkpoints").iterdir()) == [
        "step-00000018",
        "step-00000024",
        "step-00000030",
    ]
