"""kubeadm's configuration says what we decide, and nothing that follows from a machine."""

import json
from ipaddress import IPv4Network
from typing import Any

import pytest

from homespun.hosts.cluster import Cluster
from stacks.cluster import kubeadm
from stacks.cluster.kubeadm import JoinConfiguration, NodeRegistration

CLUSTER = Cluster(
    "lab", "1.36.3", "api.lab.internal", "10.41.0.10", IPv4Network("10.42.0.0/16"), IPv4Network("10.43.0.0/16")
)


def documents(cgroup_version: int = 2) -> dict[str, dict[str, Any]]:
    text = kubeadm.configuration(CLUSTER, NodeRegistration("m0", "10.41.0.10", cgroup_version))
    return {document["kind"]: document for document in map(json.loads, text.split("---\n"))}


def test_the_endpoint_is_a_name() -> None:
    assert documents()["ClusterConfiguration"]["controlPlaneEndpoint"] == "api.lab.internal:6443"


def test_ranges_are_the_clusters() -> None:
    networking = documents()["ClusterConfiguration"]["networking"]
    assert (networking["podSubnet"], networking["serviceSubnet"]) == ("10.42.0.0/16", "10.43.0.0/16")


def test_the_kubelets_dns_is_the_address_that_kubeadm_gives_it() -> None:
    assert documents()["KubeletConfiguration"]["clusterDNS"] == ["10.43.0.10"]


def test_services_go_by_nftables_and_conntrack_limits_are_left_alone() -> None:
    proxy = documents()["KubeProxyConfiguration"]
    assert proxy["mode"] == "nftables"
    assert proxy["conntrack"]["maxPerCore"] == 0


def test_every_request_is_audited_into_a_file_that_rotates() -> None:
    arguments = {entry["name"] for entry in documents()["ClusterConfiguration"]["apiServer"]["extraArgs"]}
    assert {"audit-policy-file", "audit-log-path", "audit-log-maxsize", "audit-log-maxbackup"} <= arguments


@pytest.mark.parametrize(("version", "ignored"), [(1, ["SystemVerification"]), (2, [])])
def test_a_check_is_ignored_only_where_cgroup_v1_makes_it_fail(version: int, ignored: list[str]) -> None:
    assert documents(version)["InitConfiguration"]["nodeRegistration"]["ignorePreflightErrors"] == ignored


def test_what_follows_from_a_machine_is_in_no_document_that_machines_share() -> None:
    kubelet = documents()["KubeletConfiguration"]
    assert {"cgroupDriver", "failCgroupV1", "resolvConf"}.isdisjoint(kubelet)


def test_the_runtime_is_our_own() -> None:
    assert documents()["InitConfiguration"]["nodeRegistration"]["criSocket"] == "unix:///run/homespun/containerd.sock"


def test_a_machine_joins_by_the_endpoints_name_and_only_a_cluster_of_that_authority() -> None:
    node = NodeRegistration("m1", "10.41.0.11", 2)
    document = JoinConfiguration(CLUSTER, node, "abcdef.0123456789abcdef", "sha256:ab").document()
    found = document["discovery"]["bootstrapToken"]
    assert found["apiServerEndpoint"] == "api.lab.internal:6443"
    assert found["caCertHashes"] == ["sha256:ab"]
    assert "unsafeSkipCAVerification" not in found
    assert document["nodeRegistration"]["name"] == "m1"
