"""A job becomes a JobSet; it is sent away and called back; what can't run is told."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from tests.integration.operators.objects import apply, condition, get, pod_of, status, training_job
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("running_operator", "no_objects")


def job_set(cluster: Cluster, name: str = "tale") -> dict[str, object]:
    """The spec of a job's JobSet, {} while it has none. An earlier test's may not be collected yet."""
    found = {one["metadata"]["name"]: one["spec"] for one in get(cluster, "jobsets")}
    spec: dict[str, object] = found.get(name, {})
    return spec


def test_an_applied_job_becomes_workers_that_are_told_what_to_train(cluster: Cluster) -> None:
    apply(cluster, training_job("tale"))
    until("its workers", lambda: job_set(cluster, "tale"))
    assert job_set(cluster)["suspend"] is False
    told = next(one for one in get(cluster, "configmaps") if one["metadata"]["name"] == "training-tale")
    assert json.loads(told["data"]["job.json"])["steps"] == 10
    until("Starting", lambda: status(cluster, "tj", "tale").get("state") == "Starting")
    assert "tale" in cluster.kubectl("-n", NAMESPACE, "get", "homespun")


def test_it_is_sent_away_and_called_back(cluster: Cluster) -> None:
    apply(cluster, training_job("away"))
    until("its workers", lambda: job_set(cluster, "away"))
    apply(cluster, training_job("away", suspend=True))
    until("their end", lambda: job_set(cluster, "away")["suspend"] is True)
    until("Suspended", lambda: status(cluster, "tj", "away").get("state") == "Suspended")
    apply(cluster, training_job("away", suspend=False))
    until("their return", lambda: job_set(cluster, "away")["suspend"] is False)


def test_a_claim_that_is_not_there_is_named(cluster: Cluster) -> None:
    data = {"uri": "pvc://elsewhere/texts", "seqLen": 128}
    apply(cluster, training_job("lost", data=data))
    until("the reason", lambda: condition(cluster, "lost", "Accepted", "tj").get("reason") == "ClaimNotFound")
    assert "elsewhere" in condition(cluster, "lost", "Accepted", "tj")["message"]
    assert job_set(cluster, "lost") == {}


def test_a_worker_that_can_not_start_is_asked_why(cluster: Cluster) -> None:
    apply(cluster, training_job("stuck"))
    until("its workers", lambda: job_set(cluster, "stuck"))
    labels = {"jobset.sigs.k8s.io/jobset-name": "stuck", "batch.kubernetes.io/job-completion-index": "0"}
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(pod_of("stuck-w-0-0-x", labels)))
    # No scheduler runs here: what one says of a pod that fits nowhere is put in its place.
    refused = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1: no memory"}
    patch = json.dumps({"status": {"conditions": [refused]}})
    cluster.kubectl(
        "-n", NAMESPACE, "patch", "pod", "stuck-w-0-0-x", "--subresource=status", "--type=merge", "-p", patch
    )
    told = "worker 0 can't be placed: 0/1: no memory"
    until("the reason", lambda: told in condition(cluster, "stuck", "Running", "tj").get("message", ""))
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", "stuck-w-0-0-x", "--grace-period=0", "--force")


def worker(job: str, number: int, restart: int = 0, job_set: str = "") -> dict[str, Any]:
    """A pod as JobSet makes it."""
    labels = {
        **({"jobset.sigs.k8s.io/jobset-uid": job_set} if job_set else {}),
        "jobset.sigs.k8s.io/jobset-name": job,
        "jobset.sigs.k8s.io/restart-attempt": str(restart),
        "batch.kubernetes.io/job-completion-index": str(number),
    }
    return pod_of(f"{job}-w-0-{number}-{restart}", labels)


def die(cluster: Cluster, pod: str, reason: str, code: int) -> None:
    """As a kubelet would tell it; none runs here."""
    ended = {"exitCode": code, "reason": reason, "finishedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    container = {"name": "worker", "image": "x:1", "imageID": "", "ready": False, "restartCount": 0}
    told = {"phase": "Failed", "containerStatuses": [{**container, "state": {"terminated": ended}}]}
    patch = json.dumps({"status": told})
    cluster.kubectl("-n", NAMESPACE, "patch", "pod", pod, "--subresource=status", "--type=merge", "-p", patch)


def test_what_a_worker_died_of_is_told_and_stays_told_when_its_pod_is_gone(cluster: Cluster) -> None:
    apply(cluster, training_job("hungry", workers={"count": 2, "memory": "2Gi"}))
    until("its workers", lambda: job_set(cluster, "hungry"))
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([worker("hungry", 0), worker("hungry", 1)]))
    die(cluster, "hungry-w-0-0-0", "Error", 1)
    die(cluster, "hungry-w-0-1-0", "OOMKilled", 137)
    until("what it died of", lambda: status(cluster, "tj", "hungry").get("lastFailure", {}).get("worker") == 1)
    pods = ("pod/hungry-w-0-0-0", "pod/hungry-w-0-1-0")
    cluster.kubectl("-n", NAMESPACE, "delete", *pods, "--grace-period=0", "--force")
    restarted = json.dumps({"status": {"restarts": 1}})
    cluster.kubectl(
        "-n", NAMESPACE, "patch", "jobset", "hungry", "--subresource=status", "--type=merge", "-p", restarted
    )
    until("the count", lambda: "1 times so far" in condition(cluster, "hungry", "Running", "tj").get("message", ""))
    assert "worker 1 was killed for memory (limit 2Gi)" in condition(cluster, "hungry", "Running", "tj")["message"]
    failure = status(cluster, "tj", "hungry")["lastFailure"]
    assert (failure["reason"], failure["worker"], failure["restart"]) == ("OOMKilled", 1, 0)


def test_workers_of_a_deleted_job_of_that_name_are_not_this_ones(cluster: Cluster) -> None:
    apply(cluster, training_job("heir", workers={"count": 2, "memory": "2Gi"}))
    until("its workers", lambda: job_set(cluster, "heir"))
    before = worker("heir", 1, job_set="another")
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([worker("heir", 0), before]))
    die(cluster, "heir-w-0-1-0", "OOMKilled", 137)
    die(cluster, "heir-w-0-0-0", "Error", 3)
    until("a cause", lambda: status(cluster, "tj", "heir").get("lastFailure"))
    assert status(cluster, "tj", "heir")["lastFailure"]["message"] == "worker 0 ended with exit code 3"
    pods = ("pod/heir-w-0-0-0", "pod/heir-w-0-1-0")
    cluster.kubectl("-n", NAMESPACE, "delete", *pods, "--grace-period=0", "--force")


def test_a_job_takes_its_children_along(cluster: Cluster) -> None:
    apply(cluster, training_job("short"))
    until("its workers", lambda: job_set(cluster, "short"))
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "short", "--wait")
    until("no workers", lambda: not job_set(cluster, "short"))
    until(
        "no document", lambda: "training-short" not in {one["metadata"]["name"] for one in get(cluster, "configmaps")}
    )
