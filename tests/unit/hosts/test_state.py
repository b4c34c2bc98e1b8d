"""What ought to be on a machine follows from its role, its facts and its cluster."""

import json
import tomllib
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

from homespun.hosts import facts, state
from homespun.hosts.cluster import Cluster
from homespun.hosts.facts import Facts
from homespun.hosts.state import Artifact, HostState, Image, Role
from tests.unit.hosts.machines import DEBIAN_V2, LAB_V1

SERVER = facts.parse(DEBIAN_V2, "server")
LAB = facts.parse(LAB_V1, "m0")
CLUSTER = Cluster("lab", "1.36.3", "api.lab.internal", "10.41.0.10", IPv4Network("10.42.0.0/16"),
                  IPv4Network("10.43.0.0/16"))  # fmt: skip
BINARIES = (*state.RUNTIME_BINARIES, *state.KUBERNETES_BINARIES, *state.CNI_PLUGINS)
ARTIFACTS = {name: Artifact(f"/cache/{name}", name.ljust(64, "0")) for name in BINARIES}
IMAGES = (Image("localhost/homespun/pause:3.10.2", "sha256:aa", Artifact("/cache/pause.tar", "b" * 64)),)


def desired(found: Facts = SERVER, role: Role = "control-plane", **changed: Any) -> HostState:
    return state.desired(role, found, CLUSTER, IPv4Network("10.42.3.0/24"), {**ARTIFACTS, **changed}, IMAGES)


def content(wanted: HostState, path: str) -> str:
    text = next(file.content for file in wanted.files if file.path == path)
    assert text is not None
    return text


def containerd(found: Facts) -> dict[str, Any]:
    return tomllib.loads(content(desired(found), "/opt/homespun/etc/containerd.toml"))


def test_the_same_facts_make_the_same_state() -> None:
    assert desired() == desired()


def test_everything_stands_in_places_of_our_own() -> None:
    ours = ("/opt/homespun/", "/etc/systemd/system/", "/etc/sysctl.d/60-homespun", "/etc/modules-load.d/homespun")
    assert not [file.path for file in desired().files if not file.path.startswith(ours)]


def test_the_runtime_shares_no_socket_root_or_state_with_another() -> None:
    config = containerd(SERVER)
    address = config["plugins"]["io.containerd.server.v1.grpc"]["address"]
    assert [config["root"], config["state"], address] == [
        "/var/lib/homespun-node/containerd",
        "/run/homespun/containerd",
        "/run/homespun/containerd.sock",
    ]


def test_oom_scores_are_restricted_only_where_root_may_not_lower_them() -> None:
    runtimes = [containerd(found)["plugins"]["io.containerd.cri.v1.runtime"] for found in (LAB, SERVER)]
    assert [runtime["restrict_oom_score_adj"] for runtime in runtimes] == [True, False]


def test_cgroup_v1_is_allowed_only_where_it_is_found() -> None:
    path = f"{state.PATCHES}/kubeletconfiguration0+merge.json"
    v1, v2 = (json.loads(content(desired(found), path)) for found in (LAB, SERVER))
    assert (v1["failCgroupV1"], v1["cgroupDriver"]) == (False, "cgroupfs")
    assert (v2["failCgroupV1"], v2["cgroupDriver"]) == (True, "systemd")


def test_pods_ask_the_machines_real_nameservers() -> None:
    patch = json.loads(content(desired(), f"{state.PATCHES}/kubeletconfiguration0+merge.json"))
    assert patch["resolvConf"] == "/run/systemd/resolve/resolv.conf"


def test_modules_are_loaded_only_where_they_are_files() -> None:
    assert desired(SERVER).modules == ("overlay", "br_netfilter")
    assert desired(LAB).modules == ()


def test_only_a_control_plane_has_an_audit_policy() -> None:
    assert state.AUDIT_POLICY in {file.path for file in desired(role="control-plane").files}
    assert state.AUDIT_POLICY not in {file.path for file in desired(role="worker").files}


def test_pods_get_addresses_of_the_machines_own_part() -> None:
    plugins = json.loads(content(desired(), "/opt/homespun/etc/cni/10-homespun.conflist"))["plugins"]
    assert plugins[0]["ipam"]["ranges"] == [[{"subnet": "10.42.3.0/24"}]]


def test_a_changed_binary_is_named_by_its_path_and_nothing_else_differs() -> None:
    before, after = desired().digests(), desired(runc=Artifact("/cache/new", "f" * 64)).digests()
    assert {name for name in after if after[name] != before[name]} == {"file /opt/homespun/bin/runc"}


def test_a_changed_runtime_restarts_containerd_and_a_plugin_restarts_nothing() -> None:
    restarts = {file.path: file.restarts for file in desired().files}
    assert restarts["/opt/homespun/bin/runc"] == ("homespun-containerd.service",)
    assert restarts["/opt/homespun/bin/kubelet"] == ("kubelet.service",)
    assert restarts["/opt/homespun/cni/bridge"] == ()


def test_a_newer_kernel_changes_nothing() -> None:
    assert desired(replace(SERVER, kernel="9.9")) == desired()


def test_the_mark_that_all_of_it_is_ours_comes_last() -> None:
    assert desired().files[-1].path == facts.STATE_FILE


def test_binaries_carry_no_content_and_texts_no_artifact() -> None:
    assert all((file.content is None) != (file.artifact is None) for file in desired().files)
