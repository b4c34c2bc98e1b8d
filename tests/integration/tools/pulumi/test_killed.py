"""A CLI that was killed leaves no process behind, and what it had begun goes on."""

import os
import signal
from pathlib import Path

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.pulumi import Project
from tests.waiting import until

NEVER_READY = """
    k8s.core.v1.ConfigMap("first", metadata={"name": "first"}, opts=options)
    k8s.apps.v1.Deployment("web", metadata={"name": "killed"}, spec={"selector": {"match_labels": {"app": "killed"}},
        "template": {"metadata": {"labels": {"app": "killed"}}, "spec": {"containers": [
            {"name": "c", "image": "example.test/web:1"}]}}}, opts=options)
"""


def plugins() -> list[str]:
    """The command lines of the plugin processes and programs that run."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if "tools.pulumi." in line or "tools/pulumi/program.py" in line or "pulumi-resource-" in line:
            lines.append(line)
    return lines


def test_a_killed_up_leaves_no_process_and_the_next_one_goes_on(cluster: Cluster, project: Project) -> None:
    project.on_cluster(cluster.kubeconfig, NEVER_READY, upsert_existing_objects=True)
    up = project.start("up", "--yes", "--skip-preview")
    up.until("the Deployment", lambda: "killed" in cluster.kubectl("get", "deployment"))
    assert plugins()
    os.kill(up.pid, signal.SIGKILL)
    until("no plugin left", lambda: not plugins())
    assert "locked" in project.up(fails=True)
    project.run("cancel", "--yes")
    skipping = NEVER_READY.replace(
        '"name": "killed"}', '"name": "killed", "annotations": {"pulumi.com/skipAwait": "true"}}'
    )
    project.on_cluster(cluster.kubeconfig, skipping, upsert_existing_objects=True)
    project.up()
    assert "4 unchanged" in project.up()
    project.destroy()
    assert "killed" not in cluster.kubectl("get", "deployment")


def test_an_interrupted_up_records_what_is_there_and_goes_on(cluster: Cluster, project: Project) -> None:
    project.on_cluster(cluster.kubeconfig, NEVER_READY)
    up = project.start("up", "--yes", "--skip-preview")
    up.until("the Deployment", lambda: "killed" in cluster.kubectl("get", "deployment"))
    os.kill(up.pid, signal.SIGINT)
    assert up.wait(30) != 0
    until("no plugin left", lambda: not plugins())
    assert project.state()["web"]["id"] == "default/killed"
    project.destroy()
    assert "killed" not in cluster.kubectl("get", "deployment")
