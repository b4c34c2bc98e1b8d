"""A job becomes a JobSet; it is sent away and called back; what can't run is told."""

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.integration.operators.objects import apply, condition, get, pod_of, status, training_job
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.waiting import until


@pytest.fixture(autouse=True)
def _no_jobs(cluster: Cluster, running_operator: object) -> Iterator[None]:
    yield
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "--all", "--wait")


def job_set(cluster: Cluster) -> dict[str, object]:
    (found,) = get(cluster, "jobsets")
    spec: dict[str, object] = found["spec"]
    return spec


def test_an_applied_job_becomes_workers_that_are_told_what_to_train(cluster: Cluster) -> None:
    apply(cluster, training_job("tale"))
    until("its workers", lambda: get(cluster, "jobsets"))
    assert job_set(cluster)["suspend"] is False
    told = next(one for one in get(cluster, "configmaps") if one["metadata"]["name"] == "training-tale")
    assert json.loads(told["data"]["job.json"])["steps"] == 10
    until("Starting", lambda: status(cluster, "tj", "tale").get("state") == "Starting")
    assert "tale" in cluster.kubectl("-n", NAMESPACE, "get", "homespun")


def test_it_is_sent_away_and_called_back(cluster: Cluster) -> None:
    apply(cluster, training_job("tale"))
    until("its workers", lambda: get(cluster, "jobsets"))
    apply(cluster, training_job("tale", suspend=True))
    until("their end", lambda: job_set(cluster)["suspend"] is True)
    until("Suspended", lambda: status(cluster, "tj", "tale").get("state") == "Suspended")
    apply(cluster, training_job("tale", suspend=False))
    until("their return", lambda: job_set(cluster)["suspend"] is False)


def test_a_claim_that_is_not_there_is_named(cluster: Cluster) -> None:
    data = {"uri": "pvc://elsewhere/texts", "seqLen": 128}
    apply(cluster, training_job("tale", data=data))
    until("the reason", lambda: condition(cluster, "tale", "Accepted", "tj").get("reason") == "ClaimNotFound")
    assert "elsewhere" in condition(cluster, "tale", "Accepted", "tj")["message"]
    assert get(cluster, "jobsets") == []


def test_a_worker_that_can_not_start_is_asked_why(cluster: Cluster) -> None:
    apply(cluster, training_job("tale"))
    until("its workers", lambda: get(cluster, "jobsets"))
    labels = {"jobset.sigs.k8s.io/jobset-name": "tale", "batch.kubernetes.io/job-completion-index": "0"}
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(pod_of("tale-w-0-0-x", labels)))
    # No scheduler runs here: what one says of a pod that fits nowhere is put in its place.
    refused = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1: no memory"}
    patch = json.dumps({"status": {"conditions": [refused]}})
    cluster.kubectl(
        "-n", NAMESPACE, "patch", "pod", "tale-w-0-0-x", "--subresource=status", "--type=merge", "-p", patch
    )
    until(
        "the reason",
        lambda: (
            "worker 0 can't be placed: 0/1: no memory" in condition(cluster, "tale", "Running", "tj").get("message", "")
        ),
    )
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", "tale-w-0-0-x", "--grace-period=0", "--force")


def test_a_job_takes_its_children_along(cluster: Cluster) -> None:
    apply(cluster, training_job("tale"))
    until("its workers", lambda: get(cluster, "jobsets"))
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "tale", "--wait")
    until("no workers", lambda: not get(cluster, "jobsets"))
    until("no document", lambda: "training-tale" not in {one["metadata"]["name"] for one in get(cluster, "configmaps")})
