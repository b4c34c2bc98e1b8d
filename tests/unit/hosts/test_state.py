"""What ought to be on a machine follows from its role, its facts and its cluster."""

import json
import shlex
import tomllib
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from homespun.hosts import facts, headscale, layout, mesh, names, paths, state
from homespun.hosts.cluster import Cluster, Member, Mesh, Role
from homespun.hosts.facts import Facts
from homespun.hosts.files import Artifact
from homespun.hosts.state import HostState, Image
from tests.unit.hosts.machines import DEBIAN_V2, LAB_V1

SERVER = facts.parse(DEBIAN_V2, "server")
LAB = facts.parse(LAB_V1, "m0")
CLUSTER = Cluster("lab", "1.36.3", "api.lab.internal", "10.41.0.10", IPv4Network("10.42.0.0/16"),
                  IPv4Network("10.43.0.0/16"))  # fmt: skip
BINARIES = (*state.RUNTIME_BINARIES, *state.KUBERNETES_BINARIES, *state.CNI_PLUGINS, *mesh.BINARIES,
            *headscale.BINARIES, names.BINARY)  # fmt: skip
ARTIFACTS = {name: Artifact(f"/cache/{name}", name.ljust(64, "0")) for name in BINARIES}
IMAGES = tuple(
    Image(f"localhost/homespun/{name}", "sha256:aa", Artifact("/cache/pause.tar", "b" * 64))
    for name in ("pause:3.10.2", "kube-apiserver:v1.36.3", "kube-proxy:v1.36.3")
)
MESH = Mesh("https://10.41.0.10:8443", authority=True, inside=IPv4Address("10.48.0.1"), headscale_port=8443)


def member(number: int, role: Role = "worker", site: str = "home") -> Member:
    lan = IPv4Address(f"10.{41 if site == 'home' else 9}.0.1{number}")
    address = lan if site == "home" else IPv4Address(f"10.48.0.1{number}")
    return Member(f"m{number}", role, site, lan, address, IPv4Network(f"10.42.{number}.0/24"))


def desired(
    found: Facts = SERVER,
    role: Role = "control-plane",
    joined: Mesh | None = None,
    others: tuple[Member, ...] = (),
    **changed: Any,
) -> HostState:
    return state.desired(member(3, role), others, found, CLUSTER, joined, {**ARTIFACTS, **changed}, IMAGES)


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
    path = f"{layout.PATCHES}/kubeletconfiguration0+merge.json"
    v1, v2 = (json.loads(content(desired(found), path)) for found in (LAB, SERVER))
    assert (v1["failCgroupV1"], v1["cgroupDriver"]) == (False, "cgroupfs")
    assert (v2["failCgroupV1"], v2["cgroupDriver"]) == (True, "systemd")


def test_pods_ask_the_machines_real_nameservers() -> None:
    patch = json.loads(content(desired(), f"{layout.PATCHES}/kubeletconfiguration0+merge.json"))
    assert patch["resolvConf"] == "/run/systemd/resolve/resolv.conf"


def test_modules_are_loaded_only_where_they_are_files() -> None:
    assert desired(SERVER).modules == ("overlay", "br_netfilter")
    assert desired(LAB).modules == ()


def test_only_a_control_plane_has_an_audit_policy() -> None:
    assert layout.AUDIT_POLICY in {file.path for file in desired(role="control-plane").files}
    assert layout.AUDIT_POLICY not in {file.path for file in desired(role="worker").files}


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


def test_a_worker_has_no_image_of_the_control_plane() -> None:
    assert [image.name for image in desired(role="worker").images] == ["pause", "kube-proxy"]
    assert len(desired().images) == 3


def test_another_machine_changes_the_ways_and_nothing_else() -> None:
    one, both = desired(others=(member(1),)), desired(others=(member(1), member(2)))
    assert changed(one, both) == {"file /opt/homespun/etc/ways"}


def test_a_mesh_brings_its_own_units_and_changes_what_pods_may_send_at_once() -> None:
    others = (member(4, site="office"),)
    alone, joined = desired(role="worker", others=others), desired(role="worker", joined=MESH, others=others)
    new = set(joined.digests()) - set(alone.digests())
    assert {name for name in new if name.startswith("unit")} == {
        "unit homespun-mesh.service", "unit homespun-tailscaled.service", "unit homespun-paths.service",
    }  # fmt: skip
    assert changed(alone, joined) == {"file /opt/homespun/etc/cni/10-homespun.conflist", "file /opt/homespun/etc/ways"}


def test_the_control_planes_machine_is_the_control_server_where_none_is_elsewhere() -> None:
    assert headscale.UNIT in desired(joined=MESH).units
    assert headscale.UNIT not in desired(role="worker", joined=MESH).units
    assert headscale.UNIT not in desired(joined=replace(MESH, headscale_port=None)).units


def test_names_are_answered_by_the_first_machine_alone_and_where_there_are_any() -> None:
    named = replace(MESH, headscale_port=None, domain="home.internal")
    assert names.UNIT in desired(joined=named).units
    assert "home.internal:53 {" in content(desired(joined=named), names.SCRIPT)
    assert names.UNIT not in desired(role="worker", joined=named).units
    assert names.UNIT not in desired(joined=replace(named, domain="")).units


def test_one_that_is_joined_alone_has_no_paths_to_tell_of() -> None:
    assert paths.UNIT not in desired(joined=MESH).units
    assert paths.UNIT in desired(joined=MESH, others=(member(4, site="office"),)).units


def changed(before: HostState, after: HostState) -> set[str]:
    """What both have, and have differently."""
    old, new = before.digests(), after.digests()
    return {name for name in set(old) & set(new) if old[name] != new[name]}


def test_systemd_can_read_every_command_of_our_units() -> None:
    others = (member(4), member(5, site="office"))
    first = desired(joined=MESH, others=others)
    other = desired(role="worker", joined=MESH, others=(member(4, "control-plane"),))
    named = desired(joined=replace(MESH, domain="home.internal"))
    lines = [line for one in (first, other, named) for file in one.files if "/system/" in file.path
             for line in (file.content or "").splitlines() if line.startswith("Exec")]  # fmt: skip
    assert len(lines) > 20
    for line in lines:
        assert shlex.split(line.partition("=")[2].lstrip("-"))
