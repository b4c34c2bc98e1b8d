"""Ready by each kind's own rules; else in a few words why not."""

from typing import Any

import pytest

from tools.pulumi.kubernetes.errors import NotReady
from tools.pulumi.kubernetes.readiness import has_pods, pending, selector, troubles

GROUPS = {
    "Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1",
    "Job": "batch/v1", "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "APIService": "apiregistration.k8s.io/v1",
}  # fmt: skip


def obj(kind: str, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": GROUPS.get(kind, "v1"), "kind": kind, "metadata": {"name": "w", "generation": 2},
        "spec": spec or {}, "status": status or {},
    }  # fmt: skip


def condition(name: str, status: str = "True", **other: str) -> dict[str, Any]:
    return {"conditions": [{"type": name, "status": status, **other}]}


SEEN = {"observedGeneration": 2}
CLASS = {"metadata": {"name": "fast"}, "provisioner": "p", "volumeBindingMode": "Immediate"}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "waits_for"),
    [
        ("Deployment", {"replicas": 2}, {"observedGeneration": 1}, "its controller has not seen this generation"),
        ("Deployment", {"replicas": 2}, {**SEEN, "updatedReplicas": 1}, "1/2 up to date"),
        ("Deployment", {"replicas": 2}, {**SEEN, "updatedReplicas": 2, "replicas": 3}, "1 old ones still there"),
        ("Deployment", {"replicas": 2}, {**SEEN, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 1},
         "1/2 available"),
        ("Deployment", {"replicas": 2}, {**SEEN, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}, None),
        ("Deployment", {"replicas": 0}, SEEN, None),
        ("StatefulSet", {"replicas": 2}, {**SEEN, "updatedReplicas": 1}, "1/2 up to date"),
        ("StatefulSet", {"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
         {**SEEN, "updatedReplicas": 1, "availableReplicas": 2}, None),
        ("StatefulSet", {"replicas": 2, "updateStrategy": {"type": "OnDelete"}},
         {**SEEN, "availableReplicas": 2}, None),
        ("StatefulSet", {"replicas": 2}, {**SEEN, "updatedReplicas": 2, "availableReplicas": 1}, "1/2 available"),
        ("DaemonSet", {}, {}, "its controller has not seen this generation"),
        ("DaemonSet", {}, {**SEEN, "desiredNumberScheduled": 0}, None),
        ("DaemonSet", {}, {**SEEN, "desiredNumberScheduled": 2, "updatedNumberScheduled": 1}, "1/2 up to date"),
        ("DaemonSet", {}, {**SEEN, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1},
         "1/2 available"),
        ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}},
         {**SEEN, "desiredNumberScheduled": 1, "numberAvailable": 1}, None),
        ("ReplicaSet", {"replicas": 1}, {**SEEN, "availableReplicas": 1}, None),
        ("Job", {}, {"active": 1}, "1 running, 0 succeeded, 0 failed"),
        ("Job", {}, condition("Complete"), None),
        ("Job", {"suspend": True}, {}, None),
        ("Pod", {}, {"phase": "Pending"}, "phase Pending"),
        ("Pod", {}, {"phase": "Pending", **condition("PodScheduled", "False", message="no node fits")},
         "not scheduled: no node fits"),
        ("Pod", {}, {"phase": "Running", **condition("Ready")}, None),
        ("Pod", {}, {"phase": "Succeeded"}, None),
        ("CustomResourceDefinition", {}, {}, "not established"),
        ("CustomResourceDefinition", {}, condition("Established"), None),
        ("APIService", {}, condition("Available", "False", message="no endpoints"), "no endpoints"),
        ("Service", {"type": "LoadBalancer"}, {"loadBalancer": {}}, "no address from a load balancer"),
        ("Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}, None),
        ("Service", {"type": "ClusterIP"}, {}, None),
        ("ConfigMap", {}, {}, None),
    ],
)  # fmt: skip
def test_what_an_object_waits_for(
    kind: str, spec: dict[str, Any], status: dict[str, Any], waits_for: str | None
) -> None:
    assert pending(obj(kind, spec, status)) == waits_for


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("Deployment", {**SEEN, **condition("Progressing", "False", reason="ProgressDeadlineExceeded", message="late")},
         "Deployment w: late"),
        ("Job", condition("Failed", message="backoff limit"), "Job w failed: backoff limit"),
        ("Pod", {"phase": "Failed", "reason": "Evicted"}, "Pod w failed: Evicted"),
        ("PersistentVolumeClaim", {"phase": "Lost"}, "PersistentVolumeClaim w: its volume is lost"),
        ("CustomResourceDefinition", condition("NamesAccepted", "False", message="taken"),
         "CustomResourceDefinition w: taken"),
    ],
)  # fmt: skip
def test_what_will_not_come_is_not_waited_for(kind: str, status: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotReady, match=reason):
        pending(obj(kind, {}, status))


@pytest.mark.parametrize(
    ("phase", "storage_class", "waits"),
    [
        ("Pending", CLASS, True),
        ("Bound", CLASS, False),
        ("Pending", None, False),
        ("Pending", {**CLASS, "volumeBindingMode": "WaitForFirstConsumer"}, False),
        ("Pending", {**CLASS, "provisioner": "kubernetes.io/no-provisioner"}, False),
    ],
)
def test_a_claim_is_waited_for_only_where_a_volume_comes_by_itself(
    phase: str, storage_class: dict[str, Any] | None, waits: bool
) -> None:
    claim = obj("PersistentVolumeClaim", {}, {"phase": phase})
    assert (pending(claim, storage_class) is not None) == waits


def test_a_kind_of_the_same_name_in_another_group_is_not_taken_for_it() -> None:
    assert pending({**obj("Job"), "apiVersion": "example.test/v1"}) is None


def test_pods_say_what_is_wrong_with_them_and_nothing_else() -> None:
    def pod(name: str, state: dict[str, Any], **metadata: str) -> dict[str, Any]:
        return {
            "metadata": {"name": name, **metadata},
            "status": {"containerStatuses": [{"name": "c", "state": state}]},
        }

    crashing = {"terminated": {"exitCode": 1, "message": "no config"}}
    found = troubles(
        [
            pod("starting", {"waiting": {"reason": "ContainerCreating"}}),
            pod("running", {"running": {}}),
            pod("done", {"terminated": {"exitCode": 0}}),
            pod("image", {"waiting": {"reason": "ErrImagePull", "message": "not found"}}),
            pod("crash", crashing),
            pod("going", crashing, deletionTimestamp="now"),
        ]
    )
    assert found == ["pod image: c: ErrImagePull not found", "pod crash: c: ended with exit code 1 no config"]


def test_the_pods_of_a_workload_are_found_by_its_labels() -> None:
    workload = obj("Deployment", {"selector": {"matchLabels": {"b": "2", "a": "1"}}})
    assert selector(workload) == "a=1,b=2"
    assert has_pods(workload)
    assert not has_pods(obj("Service", {"selector": {"a": "1"}}))
