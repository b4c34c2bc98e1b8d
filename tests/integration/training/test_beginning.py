"""What a start goes on from is decided once, by the first worker, for all."""

import shutil
from dataclasses import replace
from pathlib import Path

from tests.integration.parts.process import Process
from tests.integration.training.run import Run
from workloads.training import tokens
from workloads.training.config import Job, State


def begin(first: Run, other: Job, tmp_path: Path, port: int) -> tuple[Process, Process]:
    """Two workers, of which the second sees another job than the first, but in its folder."""
    seen = Run(other, tmp_path / "other", first.folder)
    return first.start_worker(0, 2, port), seen.start_worker(1, 2, port)


def test_a_text_that_is_edited_between_two_workers_starts_is_that_of_the_first(job: Job, tmp_path: Path) -> None:
    shutil.copytree(job.data.path, tmp_path / "text")
    (tmp_path / "text/a.txt").write_text("the cat sat on a mat " * 500)
    run = Run(replace(job, steps=6), tmp_path / "run")
    edited = replace(run.job, data=replace(job.data, path=str(tmp_path / "text")))
    for worker in begin(run, edited, tmp_path, port=29401):
        assert worker.wait(60) == 0, worker.tail()
    (made,) = (run.folder / "tokens").iterdir()
    assert made.name == tokens.identity(Path(job.data.path), Path(job.data.tokenizer))


def test_what_the_first_finds_wrong_with_the_job_ends_all_workers_alike(job: Job, tmp_path: Path) -> None:
    run = Run(replace(job, data=replace(job.data, path="/nowhere")), tmp_path / "run")
    for worker in begin(run, job, tmp_path, port=29402):
        assert worker.wait(60) == 64, worker.tail()
        assert "/nowhere: expected *.txt or *.jsonl" in worker.tail()
    assert run.progress().state is State.INVALID
