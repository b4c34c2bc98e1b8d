"""What `destroy` takes off a machine is all of ours, and nothing of another's.

Runs after the other tests on the lab: Pulumi's record goes on to speak of what is gone.
"""

import pytest

from homespun.hosts import layout
from homespun.hosts.errors import RefusedError
from stacks.cluster.errors import ClusterError
from stacks.cluster.resource import ClusterProvider
from stacks.hosts import HostProvider
from tests.e2e import lab as labs
from tests.e2e.lab import Lab


def test_what_is_taken_off_a_machine_leaves_nothing_of_ours_on_it(lab: Lab) -> None:
    lab.ssh(f"mkdir -p {layout.MODELS} && echo precious >{layout.MODELS}/mine")
    resources = labs.resources()
    ClusterProvider().delete("", resources["Cluster"])
    HostProvider().delete("", resources["Host"])
    found = lab.ssh(
        "ls -d /opt/homespun /var/lib/homespun-node /run/homespun /var/log/homespun /etc/kubernetes /var/lib/kubelet"
        " /var/lib/etcd /etc/systemd/system/kubelet.service /etc/sysctl.d/60-homespun.conf 2>/dev/null;"
        " nft list ruleset | grep -iE 'kube|homespun|CNI-';"
        " ps -eo args= | grep -E '^(/opt/homespun|/pause|kube|etcd)';"
        " grep -v '^overlay / ' /proc/mounts | grep -E 'homespun|kubelet';"
        " grep -i homespun /etc/hosts; ls /sys/class/net | grep homespun; true"
    )
    assert found == ""
    assert lab.ssh(f"cat {layout.MODELS}/mine") == "precious\n"


def test_a_kubernetes_of_anothers_is_refused_and_not_touched(lab: Lab) -> None:
    mine = "/etc/kubernetes/admin.conf /var/lib/etcd/db"
    lab.ssh(f"mkdir -p /etc/kubernetes /var/lib/etcd && echo precious | tee {mine}")
    resources = labs.resources()
    (refusal,) = HostProvider().check({}, resources["Host"]).failures
    assert "expected no Kubernetes of another's, found /etc/kubernetes, /var/lib/etcd" in refusal.reason
    with pytest.raises(RefusedError, match="expected no Kubernetes of another's"):
        HostProvider().create(resources["Host"])
    with pytest.raises(ClusterError, match="nothing was touched"):
        ClusterProvider().create(resources["Cluster"])
    ClusterProvider().delete("", resources["Cluster"])
    assert lab.ssh(f"cat {mine}") == "precious\nprecious\n"
    assert lab.ssh("ls -d /opt/homespun 2>/dev/null || true") == ""
