"""`up` ends when an object is ready by its kind's own rules, and says meanwhile what it waits for.

No kubelet runs here: the controllers make the pods, and the tests write their status through the API, as one would.
"""

import json
from typing import Any

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.process import Process
from tests.integration.parts.pulumi import Project
from tests.waiting import until

NOW = "2026-01-01T00:00:00Z"
READY = {
    "phase": "Running",
    "conditions": [
        {"type": kind, "status": "True", "lastTransitionTime": NOW}
        for kind in ("Ready", "ContainersReady", "Initialized")
    ],
}
NO_IMAGE = {
    "phase": "Pending",
    "containerStatuses": [
        {
            "name": "c", "image": "", "imageID": "", "ready": False, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
        }
    ],
}  # fmt: skip
POD = '{"metadata": {"labels": {"app": "ready"}}, "spec": {"containers": [{"name": "c", "image": "example.test/c:1"}]}}'


def workload(kind: str, spec: str, annotations: str = "{}") -> str:
    return f"""
        k8s.{kind}("w", metadata={{"name": "ready", "annotations": {annotations}}}, spec={{
            "selector": {{"match_labels": {{"app": "ready"}}}}, "template": {POD}, {spec}}}, opts=options)
    """


def pods(cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.items("api/v1/namespaces/default/pods", "app=ready")


def set_status(cluster: Cluster, pod: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", "pod", pod, "--subresource=status", "--type=merge", "-p", patch)


def make_ready(cluster: Cluster, up: Process, number: int) -> None:
    """Write `Ready` into each pod that comes, until `number` have it."""
    done: set[str] = set()

    def step() -> bool:
        for pod in pods(cluster):
            name = pod["metadata"]["name"]
            if name not in done:
                set_status(cluster, name, READY)
                done.add(name)
        return len(done) == number

    up.until(f"{number} pods", step)


def up_that_waits(project: Project, cluster: Cluster, lines: str, waits_for: str) -> Process:
    """`pulumi up` of these lines, once it says what it waits for."""
    project.on_cluster(cluster.kubeconfig, lines)
    up = project.start("up", "--yes", "--skip-preview")
    up.until(waits_for, lambda: waits_for in up.log.read_text())
    return up


def ends_well(up: Process) -> None:
    assert up.wait(60) == 0, up.tail()


def gone(project: Project, cluster: Cluster) -> None:
    project.destroy()
    cluster.kubectl("delete", "pods", "-l", "app=ready", "--force", "--grace-period=0")
    until("the pods' end", lambda: not pods(cluster))


def test_a_deployment_is_ready_when_all_its_replicas_are_available(cluster: Cluster, project: Project) -> None:
    up = up_that_waits(project, cluster, workload("apps.v1.Deployment", '"replicas": 2'), "0/2 available")
    until("two pods", lambda: len(pods(cluster)) == 2)
    set_status(cluster, pods(cluster)[0]["metadata"]["name"], NO_IMAGE)
    up.until("the reason", lambda: "c: ErrImagePull no such image" in up.log.read_text())
    make_ready(cluster, up, 2)
    ends_well(up)
    gone(project, cluster)


def test_a_deployment_that_is_not_ready_in_time_is_recorded_and_tried_again(cluster: Cluster, project: Project) -> None:
    lines = workload("apps.v1.Deployment", '"replicas": 1', '{"pulumi.com/timeoutSeconds": "2"}')
    project.on_cluster(cluster.kubeconfig, lines)
    failed = project.up(fails=True)
    assert "not ready within 2 s" in failed
    assert "Deployment default/ready: 0/1 available" in failed
    assert project.state()["w"]["initErrors"]
    up = project.start("up", "--yes", "--skip-preview")
    make_ready(cluster, up, 1)
    ends_well(up)
    assert "initErrors" not in project.state()["w"]
    assert "3 unchanged" in project.up()
    gone(project, cluster)


def test_a_stateful_set_is_ready_when_one_after_the_other_is(cluster: Cluster, project: Project) -> None:
    lines = workload("apps.v1.StatefulSet", '"replicas": 2, "service_name": "ready"')
    up = up_that_waits(project, cluster, lines, "1/2 up to date")
    make_ready(cluster, up, 2)
    ends_well(up)
    gone(project, cluster)


def test_a_daemon_set_is_ready_when_each_node_has_its_pod(cluster: Cluster, project: Project) -> None:
    cluster.kubectl("apply", "-f", "-", input='{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}')
    condition = [{"type": "Ready", "status": "True", "lastTransitionTime": NOW}]
    patch = json.dumps({"status": {"conditions": condition, "allocatable": {"pods": "10", "cpu": "1"}}})
    cluster.kubectl("patch", "node", "n", "--subresource=status", "--type=merge", "-p", patch)
    tolerant = workload("apps.v1.DaemonSet", '"min_ready_seconds": 0').replace(
        '"spec": {"containers"', '"spec": {"tolerations": [{"operator": "Exists"}], "containers"'
    )
    up = up_that_waits(project, cluster, tolerant, "0/1 available")
    make_ready(cluster, up, 1)
    ends_well(up)
    gone(project, cluster)
    cluster.kubectl("delete", "node", "n")


JOB = """
    k8s.batch.v1.Job("w", metadata={"name": "ready"}, spec={"backoff_limit": 0, "template": {
        "metadata": {"labels": {"app": "ready"}}, "spec": {"restart_policy": "Never",
        "containers": [{"name": "c", "image": "example.test/c:1"}]}}}, opts=options)
"""


def test_a_job_is_ready_when_it_has_succeeded(cluster: Cluster, project: Project) -> None:
    up = up_that_waits(project, cluster, JOB, "1 running, 0 succeeded")
    set_status(cluster, pods(cluster)[0]["metadata"]["name"], {"phase": "Succeeded"})
    ends_well(up)
    gone(project, cluster)


def test_a_job_that_fails_ends_the_up_at_once_with_its_reason(cluster: Cluster, project: Project) -> None:
    up = up_that_waits(project, cluster, JOB, "1 running, 0 succeeded")
    set_status(cluster, pods(cluster)[0]["metadata"]["name"], {"phase": "Failed"})
    assert up.wait(60) != 0
    assert "Job default/ready failed: Job has reached the specified backoff limit" in up.log.read_text()
    gone(project, cluster)


def test_a_pod_is_ready_when_it_says_so(cluster: Cluster, project: Project) -> None:
    lines = """
        k8s.core.v1.Pod("w", metadata={"name": "ready", "labels": {"app": "ready"}}, opts=options,
                        spec={"containers": [{"name": "c", "image": "example.test/c:1"}]})
    """
    up = up_that_waits(project, cluster, lines, "phase Pending")
    make_ready(cluster, up, 1)
    ends_well(up)
    gone(project, cluster)


def claim(storage_class: str) -> str:
    return f"""
        k8s.storage.v1.StorageClass("fast", metadata={{"name": "fast"}}, provisioner="example.test/p", opts=options)
        k8s.storage.v1.StorageClass("lazy", metadata={{"name": "lazy"}}, provisioner="example.test/p", opts=options,
                                    volume_binding_mode="WaitForFirstConsumer")
        k8s.core.v1.PersistentVolumeClaim("w", metadata={{"name": "ready"}}, opts=pulumi.ResourceOptions(
            provider=provider, depends_on=[]), spec={{"access_modes": ["ReadWriteOnce"],
            "resources": {{"requests": {{"storage": "1Gi"}}}}, "storage_class_name": "{storage_class}"}})
    """


def test_a_claim_is_not_waited_for_where_only_a_consumer_brings_the_volume(cluster: Cluster, project: Project) -> None:
    for storage_class in ("", "lazy"):
        project.on_cluster(cluster.kubeconfig, claim(storage_class))
        project.up()
        project.destroy()


def test_a_claim_whose_volume_comes_by_itself_is_waited_for(cluster: Cluster, project: Project) -> None:
    project.on_cluster(cluster.kubeconfig, claim("").split("k8s.core")[0].rstrip() + "\n")
    project.up()
    up = up_that_waits(project, cluster, claim("fast"), "no volume yet of class fast (example.test/p)")
    volume = {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "ready"},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
            "hostPath": {"path": "/nowhere"}, "persistentVolumeReclaimPolicy": "Retain",
        },
    }  # fmt: skip
    cluster.kubectl("apply", "-f", "-", input=json.dumps(volume))
    ends_well(up)
    project.destroy()
    cluster.kubectl("delete", "pv", "ready")


def test_a_load_balancer_is_ready_when_it_has_an_address_and_other_services_at_once(
    cluster: Cluster, project: Project
) -> None:
    lines = """
        k8s.core.v1.Service("plain", metadata={"name": "plain"}, spec={"selector": {"a": "b"}, "ports": [{"port": 80}]},
                            opts=options)
        k8s.core.v1.Service("balanced", metadata={"name": "balanced"}, spec={"type": "LoadBalancer",
                            "ports": [{"port": 80}]}, opts=options)
    """
    up = up_that_waits(project, cluster, lines, "no address from a load balancer")
    up.until("the plain one", lambda: "plain created" in up.log.read_text())
    patch = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
    cluster.kubectl("patch", "service", "balanced", "--subresource=status", "--type=merge", "-p", patch)
    ends_well(up)
    project.destroy()


def test_a_deletion_waits_for_finalizers_and_names_them(cluster: Cluster, project: Project) -> None:
    project.on_cluster(
        cluster.kubeconfig,
        'k8s.core.v1.ConfigMap("m", metadata={"name": "held", "finalizers": ["example.test/f"]}, opts=options)',
    )
    project.up()
    destroy = project.start("destroy", "--yes", "--skip-preview")
    destroy.until("the finalizer", lambda: "finalizers example.test/f" in destroy.log.read_text())
    cluster.kubectl("patch", "configmap", "held", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    ends_well(destroy)
