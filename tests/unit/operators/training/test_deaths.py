"""Why a worker died is told, and stays told when its pod is gone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from homespun.api.training import TrainingJobStatus
from operators.training.plan import Ended, Observed, Run, status
from tests.unit.operators.training.worlds import NOW, job, seen, told

STARVED = Ended(worker=1, restart=0, reason="OOMKilled", exit_code=137, finished=NOW)
BEREFT = Ended(worker=0, restart=0, reason="Error", exit_code=1, finished=NOW)
"""Worker 0, which lost worker 1."""


def shown(observed: Observed, before: TrainingJobStatus | None = None) -> TrainingJobStatus:
    return status(job(status=before, workers={"count": 2, "memory": "2Gi"}), observed, NOW)[0]


def running(observed: Observed, before: TrainingJobStatus | None = None) -> str:
    findings = status(job(status=before, workers={"count": 2, "memory": "2Gi"}), observed, NOW)[1]
    return next(finding.message for finding in findings if finding.type == "Running")


@pytest.mark.parametrize(
    ("ended", "reason", "message"),
    [
        (
            STARVED,
            "OOMKilled",
            "worker 1 was killed for memory (limit 2Gi); delete the job and declare it anew with more",
        ),
        (
            replace(STARVED, exit_code=1),
            "OOMKilled",
            "worker 1 was killed for memory (limit 2Gi)",
        ),  # one of its processes
        (replace(STARVED, reason="Error"), "Killed", "worker 1 was killed (exit code 137)"),
        (replace(BEREFT, exit_code=3), "Exited", "worker 0 ended with exit code 3"),
        (
            Ended(0, 0, "Evicted", message="The node was low on memory."),
            "Evicted",
            "evicted: The node was low on memory.",
        ),
        (
            Ended(1, 0, "Error", 143, disruption="EvictionByEvictionAPI: drained", dismissed=True),
            "SentAway",
            "worker 1 was sent away from its machine: EvictionByEvictionAPI: drained",
        ),
        (
            Ended(1, 0, "OutOfcpu", message="Pod was rejected: Node didn't have enough resource"),
            "PodFailed",
            "worker 1 failed with its pod: OutOfcpu: Pod was rejected: Node didn't have enough resource",
        ),
    ],
    ids=["memory", "a process of it", "killed", "exited", "evicted", "drained", "never ran"],
)
def test_a_death_is_told_with_its_cause(ended: Ended, reason: str, message: str) -> None:
    failure = shown(seen(ended=(ended,))).last_failure
    assert failure is not None
    assert (failure.reason, failure.worker) == (reason, ended.worker)
    assert message in failure.message
    assert failure.message in running(seen(ended=(ended,)))


@pytest.mark.parametrize("ended", [(STARVED, BEREFT), (BEREFT, STARVED)])
def test_of_those_that_died_together_the_one_that_was_killed_is_the_cause(ended: tuple[Ended, ...]) -> None:
    late = replace(STARVED, finished=NOW + timedelta(seconds=1))
    failure = shown(seen(ended=tuple(late if one is STARVED else one for one in ended))).last_failure
    assert failure is not None
    assert (failure.worker, failure.reason, failure.time) == (1, "OOMKilled", "2026-01-01T12:00:01Z")


def test_of_equals_the_first_to_end_is_told() -> None:
    first = replace(BEREFT, worker=5, finished=NOW - timedelta(seconds=1))
    failure = shown(seen(ended=(BEREFT, first))).last_failure
    assert failure is not None
    assert failure.worker == 5


def test_a_cause_that_was_seen_stays_when_its_pod_is_gone_before_the_others() -> None:
    before = shown(seen(ended=(STARVED, BEREFT)))
    assert shown(seen(ended=(BEREFT,)), before).last_failure == before.last_failure
    assert shown(seen(), before).last_failure == before.last_failure


def test_the_next_death_takes_its_place() -> None:
    before = shown(seen(ended=(STARVED,)))
    failure = shown(seen(ended=(replace(BEREFT, restart=1),)), before).last_failure
    assert failure is not None
    assert (failure.restart, failure.reason) == (1, "Exited")


def test_what_a_job_of_another_run_died_of_is_forgotten() -> None:
    before = shown(seen(run=Run(uid="first"), ended=(replace(STARVED, restart=3),)))
    failure = shown(seen(run=Run(uid="second"), ended=(BEREFT,)), before).last_failure
    assert failure is not None
    assert (failure.restart, failure.job_set) == (0, "second")
    assert shown(seen(run=Run(uid="second")), before).last_failure is None


def test_a_worker_that_was_asked_to_go_did_not_die() -> None:
    assert shown(seen(ended=(replace(BEREFT, exit_code=143, dismissed=True),))).last_failure is None


def test_a_job_that_trains_again_still_says_what_it_lost() -> None:
    before = shown(seen(ended=(STARVED,)))
    message = running(seen(told(3), run=Run(restarts=1)), before)
    assert message.startswith("worker 1 was killed for memory (limit 2Gi)")
    assert message.endswith("all workers started again, 1 times so far")


def test_a_death_that_nobody_saw_is_not_put_down_to_an_older_cause() -> None:
    before = shown(seen(ended=(STARVED,)))
    for earlier, restarts in ((None, 1), (before, 2)):
        message = running(seen(run=Run(restarts=restarts)), earlier)
        assert message.startswith("a worker died, and its pod was gone before it could be asked why")


def test_workers_that_failed_for_good_say_what_the_last_one_died_of() -> None:
    observed = seen(run=Run(restarts=20, failed="reached maxRestarts"), ended=(replace(STARVED, restart=20),))
    message = status(job(), observed, NOW)[1][2].message
    assert message.startswith("worker 1 was killed for memory (limit 3Gi)")
    assert "reached maxRestarts; see `kubectl logs" in message
