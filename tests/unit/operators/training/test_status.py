"""The status says how far a job is, why it does not run, and what to do."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from homespun.api.training import CurvePoint, TrainingJobStatus
from operators.conditions import Finding
from operators.training.plan import Object, Observed, Run, status, suspended, thin
from tests.unit.operators.training.worlds import CHECKPOINT, CLAIMS, NOW, job, seen, told
from workloads.training.config import Progress, State


def shown(item: Object, observed: Observed) -> tuple[TrainingJobStatus, dict[str, Finding]]:
    what, findings = status(item, observed, NOW)
    return what, {finding.type: finding for finding in findings}


def test_a_step_that_was_done_makes_it_running() -> None:
    what, findings = shown(job(), seen(told(51, 3.25, checkpoint=CHECKPOINT, recoveries=1, remaining_seconds=30.2)))
    assert (what.state, findings["Running"].status, findings["Succeeded"].status) == ("Running", "True", "False")
    assert (what.step, what.steps, what.loss, what.tokens_per_second) == (51, 100, "3.2500", 900)
    assert (what.recoveries, what.remaining_seconds) == (1, 30)
    assert what.checkpoint is not None
    assert (what.checkpoint.step, what.checkpoint.digest) == (50, "sha256:ab")
    assert what.output == "pvc://data/.training/tale"


def test_workers_that_start_are_not_running_yet_and_say_what_they_wait_for() -> None:
    what, findings = shown(job(), seen(run=Run(waiting="worker 0 can't be placed: no memory")))
    assert (what.state, findings["Running"].message) == ("Starting", "worker 0 can't be placed: no memory")


def test_anybodys_program_runs_as_soon_as_it_is_started() -> None:
    own = job(model=None, data=None, objective=None, program={"image": "x:1", "command": ["x"]})
    assert shown(own, seen())[0].state == "Starting"
    what, findings = shown(own, seen(run=Run(started=True)))
    assert (what.state, findings["Running"].reason) == ("Running", "Started")
    assert shown(job(), seen(run=Run(started=True)))[0].state == "Starting"  # of ours, a step is the proof


def test_a_job_whose_steps_are_done_does_not_seem_to_start() -> None:
    done = Progress(State.FINISHED, step=100, steps=100, loss=2.0)
    what, findings = shown(job(), seen(done, run=Run(started=True)))
    assert (what.state, findings["Running"].reason) == ("Running", "Finished")


def test_all_steps_done_is_succeeded() -> None:
    done = Progress(State.FINISHED, step=100, steps=100, loss=2.0)
    what, findings = shown(job(), seen(done, run=Run(completed=True)))
    assert (what.state, findings["Succeeded"].status, what.step) == ("Succeeded", "True", 100)


def test_a_job_that_can_not_be_trained_fails_with_what_the_trainer_says() -> None:
    observed = seen(Progress(State.INVALID, message="data.path: expected texts, found none"))
    what, findings = shown(job(), observed)
    assert (what.state, findings["Succeeded"].reason) == ("Failed", "InvalidJob")
    assert findings["Succeeded"].message == "data.path: expected texts, found none"
    assert not suspended(job(), NOW)  # its JobSet ends by itself, and its log stays


def test_workers_that_failed_for_good_are_told_with_where_to_look() -> None:
    findings = shown(job(), seen(run=Run(failed="reached maxRestarts")))[1]
    assert "reached maxRestarts; see `kubectl logs" in findings["Succeeded"].message


def test_a_deadline_is_counted_from_the_first_start_and_sends_the_workers_away() -> None:
    started = TrainingJobStatus(started="2026-01-01T11:00:00Z")
    late, early = job(status=started, deadline="30m"), job(status=started, deadline="2h")
    assert shown(late, seen(told(5)))[1]["Succeeded"].reason == "DeadlineExceeded"
    assert (suspended(late, NOW), suspended(early, NOW)) == (True, False)
    assert suspended(early, NOW + timedelta(hours=2))


def test_a_suspended_job_says_so_and_keeps_what_it_reached() -> None:
    before = TrainingJobStatus(step=51, loss="3.2500", started="2026-01-01T11:00:00Z")
    what, findings = shown(job(status=before, suspend=True), seen(run=Run(suspended=True)))
    assert (what.state, what.step, what.loss) == ("Suspended", 51, "3.2500")
    assert findings["Running"].reason == "Suspended"


def test_a_claim_that_is_not_there_is_named_and_nothing_is_started() -> None:
    what, findings = shown(job(), replace(seen(), claims=frozenset({"data"}), run=None))
    assert (what.state, findings["Accepted"].reason, what.started) == ("Pending", "ClaimNotFound", "")
    assert "the claim models" in findings["Accepted"].message


def test_the_start_is_written_once() -> None:
    first = shown(job(), Observed(CLAIMS))[0].started
    assert first == "2026-01-01T12:00:00Z"
    later = status(job(status=TrainingJobStatus(started=first)), seen(told(1)), NOW + timedelta(hours=1))[0]
    assert later.started == first


def test_checkpoints_that_were_passed_over_are_shown() -> None:
    assert shown(job(), seen(told(1, rejected=("step-50: sha256 differs",))))[0].rejected_checkpoints == (
        "step-50: sha256 differs",
    )


def test_a_resumed_curve_goes_on_from_where_it_was_resumed() -> None:
    before = TrainingJobStatus(curve=tuple(CurvePoint(step=step, loss="9.0000") for step in (10, 50, 60)))
    what = shown(job(status=before), seen(told(51, 3.0), told(52, 2.9)))[0]
    assert [(point.step, point.loss) for point in what.curve] == [
        (10, "9.0000"), (50, "9.0000"), (51, "3.0000"), (52, "2.9000"),
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 64, 65, 1000, 5000])
def test_a_curve_is_thinned_and_keeps_its_ends(count: int) -> None:
    points = [CurvePoint(step=step, loss="1.0000") for step in range(1, count + 1)]
    kept = thin(points)
    assert len(kept) <= 64
    assert (kept[0].step, kept[-1].step) == (1, count)
    gaps = [b.step - a.step for a, b in pairwise(kept)]
    assert not gaps or max(gaps) <= 2 * count / 60 + 1


@pytest.mark.parametrize("uri", ["pvc://data/texts", "pvc://data/texts/out", "pvc://models/gpt2"])
def test_nothing_is_written_over_what_is_read(uri: str) -> None:
    what, findings = shown(job(checkpoint={"uri": uri}), Observed(CLAIMS))
    assert (what.state, findings["Accepted"].reason) == ("Pending", "OutputIsInput")


def test_a_jobset_of_anothers_is_left_alone_and_told() -> None:
    findings = shown(job(), Observed(CLAIMS, taken=True))[1]
    assert findings["Accepted"].reason == "NameTaken"
