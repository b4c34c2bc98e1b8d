"""Facts are what the script printed, and what stands in the way follows from them."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from homespun.hosts import facts
from homespun.hosts.errors import HostError
from tests.unit.hosts.machines import DEBIAN_V2, LAB_V1

SERVER = facts.parse(DEBIAN_V2, "server")
LAB = facts.parse(LAB_V1, "m0")


def test_a_servers_facts() -> None:
    assert (SERVER.os, SERVER.architecture, SERVER.cpus, SERVER.cgroup_version) == ("debian", "amd64", 8, 2)
    assert SERVER.memory_bytes == 32768000 * 1024
    assert SERVER.may_lower_oom_score
    assert SERVER.container is None
    assert SERVER.loadable_modules == ("overlay", "br_netfilter")
    assert SERVER.services == ("dockerd", "containerd")
    assert SERVER.resolv_conf == "/run/systemd/resolve/resolv.conf"


def test_a_lab_machines_facts() -> None:
    assert (LAB.architecture, LAB.page_size, LAB.cgroup_version) == ("arm64", 16384, 1)
    assert not LAB.may_lower_oom_score
    assert LAB.container == "systemd-nspawn"
    assert LAB.gpus == ("nvidia",)
    assert LAB.resolv_conf == "/etc/resolv.conf"


def test_docker_and_another_containerd_are_no_obstacle() -> None:
    assert facts.obstacles(SERVER) == []


def test_an_answer_that_was_cut_off_is_no_facts() -> None:
    with pytest.raises(HostError, match="server: expected facts"):
        facts.parse(DEBIAN_V2[:100], "server")


def test_an_unknown_architecture_is_refused_by_name() -> None:
    with pytest.raises(HostError, match="expected x86_64 or aarch64, found riscv64"):
        facts.parse(DEBIAN_V2.replace("x86_64", "riscv64"), "server")


def test_another_kubernetes_is_refused_and_ours_is_not() -> None:
    foreign = facts.parse(f"path=/etc/kubernetes\n{DEBIAN_V2}", "server")
    ours = facts.parse(f"path=/etc/kubernetes\npath=/opt/homespun/state.json\n{DEBIAN_V2}", "server")
    assert "/etc/kubernetes" in facts.obstacles(foreign)[0]
    assert facts.obstacles(ours) == []


def test_another_distribution_is_refused_with_what_to_do() -> None:
    assert "kubeconfig" in facts.obstacles(replace(SERVER, os="alpine"))[0]


def test_a_foreign_forward_drop_is_told() -> None:
    assert "DOCKER-USER" in facts.obstacles(facts.parse(f"forward_drop=yes\n{DEBIAN_V2}", "server"))[0]


@pytest.mark.parametrize(("kernel", "taken"), [("5.10.0-32-amd64", False), ("5.13.0", True), ("6.1.0-30-amd64", True)])
def test_a_kernel_that_kube_proxy_refuses_is_told(kernel: str, taken: bool) -> None:
    found = facts.obstacles(replace(SERVER, kernel=kernel))
    assert [line.startswith("kernel: expected 5.13 or later") for line in found] == ([] if taken else [True])


def test_a_range_that_the_machine_has_another_way_to_is_named_with_the_setting() -> None:
    ranges = {"homespun:cluster.podRange": IPv4Network("172.16.0.0/12"), "other": IPv4Network("10.43.0.0/16")}
    [line] = facts.overlaps(SERVER, ranges)
    assert "homespun:cluster.podRange (172.16.0.0/12)" in line
    assert "172.17.0.0/16" in line
