"""An `up` that is killed at any of its steps is gone on from; and what `destroy` takes off a machine is all of it.

Runs after the other tests on the lab: its machine and cluster are made anew at the same address, and the platform's
record still speaks of the cluster that is gone.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable

import pytest

from cli.kubectl import Kubectl, kubeconfig
from homespun import places
from homespun.hosts import state
from homespun.hosts.errors import RefusedError
from stacks import progress
from stacks.cluster.errors import ClusterError
from stacks.cluster.resource import ClusterProvider
from stacks.hosts import HostProvider
from tests.e2e import lab as labs
from tests.e2e.lab import Lab
from tests.waiting import until
from tools.environments import environment

STEPS = ("root file system", "boot", "facts", "files : Files are as their digest says",
         "images : Images are imported", "kubeadm init", "node Ready", "build", "import ")  # fmt: skip
"""Of the resources, as they tell them."""


def told(step: str) -> Callable[[], bool]:
    return lambda: any(event.what.startswith(step) for event in progress.read(0)[0])


def objects_on_their_way() -> bool:
    log = places.state() / f"log/{labs.NAME}.log"
    return log.exists() and "Deployment" in log.read_text()


def a_model_being_copied() -> bool:
    return bool(Kubectl(kubeconfig(labs.NAME)).get("-n", "ml", "pod", "copy-models-minilm"))


MOMENTS: dict[str, Callable[[], bool]] = {
    **{step: told(step) for step in STEPS},
    "objects": objects_on_their_way,
    "copy": a_model_being_copied,
}


@pytest.fixture(scope="module")
def restarted(lab: Lab) -> Lab:
    """A lab made anew, whose `up` was killed at each step, one after another, before the last was left alone."""
    labs.pulumi("destroy", "--yes", "--skip-preview")
    for step in MOMENTS:
        kill_at(step)
    return labs.start_again()


def kill_at(step: str) -> None:
    """Start `up` and SIGKILL it, the engine and its plugins, once `step` has begun."""
    command = [str(environment("stacks") / "bin/python"), "-m", "cli", "up", "--stack", labs.NAME]
    shutil.rmtree(places.state() / "log", ignore_errors=True)
    progress.clear()
    with subprocess.Popen(command, cwd=labs.REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True) as up:  # fmt: skip
        until(step, lambda: up.poll() is not None or MOMENTS[step](), 180)
        assert up.poll() is None, f"it ended before `{step}`"
        os.killpg(up.pid, signal.SIGKILL)


def test_an_up_that_was_killed_at_every_step_ends_whole(restarted: Lab) -> None:
    assert "Attention Is All You Need" in restarted.said
    assert labs.ask("hello")[0] == 200
    assert restarted.kubectl("get", "--raw", "/readyz") == "ok"
    restarted.kubectl("wait", "--for=condition=Ready", f"node/{labs.NODE}", "--timeout=60s")
    restarted.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")


def test_the_next_up_changes_nothing(restarted: Lab) -> None:
    assert "cluster unchanged · platform unchanged · models" in labs.up()


def test_what_is_taken_off_a_machine_leaves_nothing_of_ours_on_it(restarted: Lab) -> None:
    restarted.ssh(f"mkdir -p {state.MODELS} && echo precious >{state.MODELS}/mine")
    resources = labs.resources()
    ClusterProvider().delete("", resources["Cluster"])
    HostProvider().delete("", resources["Host"])
    found = restarted.ssh(
        "ls -d /opt/homespun /var/lib/homespun-node /run/homespun /var/log/homespun /etc/kubernetes /var/lib/kubelet"
        " /var/lib/etcd /etc/systemd/system/kubelet.service /etc/sysctl.d/60-homespun.conf 2>/dev/null;"
        " nft list ruleset | grep -iE 'kube|homespun|CNI-';"
        " ps -eo args= | grep -E '^(/opt/homespun|/pause|kube|etcd)';"
        " grep -v '^overlay / ' /proc/mounts | grep -E 'homespun|kubelet';"
        " grep -i homespun /etc/hosts; ls /sys/class/net | grep homespun; true"
    )
    assert found == ""
    assert restarted.ssh(f"cat {state.MODELS}/mine") == "precious\n"


def test_a_kubernetes_of_anothers_is_refused_and_not_touched(restarted: Lab) -> None:
    mine = "/etc/kubernetes/admin.conf /var/lib/etcd/db"
    restarted.ssh(f"mkdir -p /etc/kubernetes /var/lib/etcd && echo precious | tee {mine}")
    resources = labs.resources()
    (refusal,) = HostProvider().check({}, resources["Host"]).failures
    assert "expected no Kubernetes of another's, found /etc/kubernetes, /var/lib/etcd" in refusal.reason
    with pytest.raises(RefusedError, match="expected no Kubernetes of another's"):
        HostProvider().create(resources["Host"])
    with pytest.raises(ClusterError, match="nothing was touched"):
        ClusterProvider().create(resources["Cluster"])
    ClusterProvider().delete("", resources["Cluster"])
    assert restarted.ssh(f"cat {mine}") == "precious\nprecious\n"
    assert restarted.ssh("ls -d /opt/homespun 2>/dev/null || true") == ""
