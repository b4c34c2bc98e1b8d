"""Machines on one LAN, and one behind another NAT, are one cluster; one more or less is an edit and `pulumi up`."""

import json
from functools import partial
from itertools import permutations
from typing import Any

import yaml

from cli.project import Project
from homespun.hosts import mesh, share, ways
from stacks.cluster import bootstrap
from stacks.machines import nspawn
from tests.e2e.lab import Lab, quiet
from tests.e2e.mesh.trio import ALL, BASE, Pods, ask, machine, mounted, nodes, pulumi_up, reaches
from tests.waiting import until
from tools.pulumi.install import install
from workloads.pages import cloud

FIRST, LAST = {"name": "m0", "number": 0}, {"name": "m2", "number": 2, "site": "away"}


def test_all_machines_are_nodes(trio: Lab) -> None:
    assert nodes(trio) == ALL


def test_nodes_have_their_lans_address_on_the_first_site_and_the_meshs_elsewhere(trio: Lab) -> None:
    listed = json.loads(trio.kubectl("get", "nodes", "-o", "json"))["items"]
    found = {
        one["metadata"]["name"]: next(a["address"] for a in one["status"]["addresses"] if a["type"] == "InternalIP")
        for one in listed
    }
    assert found == {"m0": "10.37.0.10", "m1": "10.37.0.11", "m2": "10.33.0.12"}


def test_between_sites_there_is_no_other_path_than_the_mesh(trio: Lab) -> None:
    here, there = trio.machine, machine("m2")
    for one, other in ((here, there), (there, here)):
        past_the_mesh = (
            f"import socket as s; c = s.socket(); c.setsockopt(s.SOL_SOCKET, s.SO_BINDTODEVICE, b'host0');"
            f" c.settimeout(3); c.connect(('{other.address}', 22))"
        )
        tried = one.connection.run(f'python3 -c "{past_the_mesh}" 2>&1 | tail -1')
        assert "timed out" in tried
    assert there.connection.run("ip route get 10.37.0.10").startswith("10.37.0.10 via 10.33.0.1 dev homespun-mesh")
    assert machine("m1").connection.run("ip route get 10.37.0.10").startswith("10.37.0.10 dev host0")


def test_pods_on_different_machines_talk_under_their_own_addresses(trio: Lab, web: Pods) -> None:
    for caller, called in permutations(ALL, 2):
        until(f"an answer of {called} for {caller}", partial(reaches, trio, web, caller, called), 30)


def test_a_service_is_served_by_all_machines_and_found_by_its_name_from_each(trio: Lab, web: Pods) -> None:
    for pod in web().values():
        name = pod["metadata"]["name"]
        found: set[str] = set()

        def everyone(name: str = name, found: set[str] = found) -> bool:
            found.update(ask(trio, name, "http://web.default.svc.cluster.local/")[:1])
            return found == ALL

        until("answers of all", everyone, 60)


def test_each_node_says_how_it_reaches_those_of_other_sites(trio: Lab) -> None:
    def said(name: str) -> str:
        found = trio.kubectl("get", "node", name, "-o", "jsonpath={.metadata.annotations.homespun\\.dev/paths}")
        return " ".join(cloud.paths(found or "[]"))

    until("m0's way to m2", lambda: said("m0").startswith("m2 directly in "), 200)
    until(
        "m2's ways to both", lambda: said("m2").startswith("m0 directly in ") and " m1 directly in " in said("m2"), 200
    )


def test_a_second_up_changes_nothing(trio: Lab) -> None:
    said = pulumi_up()
    assert "unchanged" in said
    assert not any(word in said for word in ("created", "updated", "replaced", "deleted"))


def test_a_way_that_was_taken_away_comes_back(trio: Lab) -> None:
    trio.ssh(f"ip route delete 10.36.1.0/24 table {ways.TABLE}; ip rule delete priority {ways.TABLE}")
    until("the way", lambda: "via 10.37.0.11" in trio.ssh("ip route get 10.36.1.1"), 60)


def test_no_token_that_lets_a_machine_join_stays(trio: Lab) -> None:
    secrets = trio.kubectl("-n", "kube-system", "get", "secrets", "-o", "name")
    tokens = [line for line in secrets.splitlines() if "bootstrap-token" in line]
    first = trio.ssh(f"{bootstrap.KUBEADM} token list --kubeconfig {bootstrap.ADMIN}")
    assert len(tokens) <= 1, first  # kubeadm init's own
    for name in ("m1", "m2"):
        assert machine(name).connection.run(f"cat {bootstrap.CONFIGURATION} {mesh.KEY}") == ""


def test_a_machine_that_leaves_the_settings_is_drained_and_forgotten_and_one_that_comes_back_is_new(
    trio: Lab, web: Pods
) -> None:
    leaving = machine("m1")
    taken = edit(FIRST, LAST)
    assert taken == ["Device m1", "Host m1", "LabMachine m1", "Node m1", "Share m1"]
    assert nodes(trio) == {"m0", "m2"}
    assert set(web()) == {"m0", "m2"}
    assert not nspawn.exists(leaving)
    assert not leaving.connection.answers()
    assert " m1\n" not in trio.ssh(f"cat {share.ADMITTED}")
    edit(FIRST, {"name": "m1", "number": 1}, LAST)
    until("all", lambda: nodes(trio) == ALL, 60)
    until("its pod", lambda: set(web()) == ALL, 60)
    assert mounted("m1")


def test_a_machine_that_is_dead_can_be_taken_out_of_the_settings_and_a_mesh_with_its_last_site_goes(trio: Lab) -> None:
    nspawn.stop(machine("m2"), grace=0)
    taken = edit(FIRST, {"name": "m1", "number": 1})
    assert "LabMachine m2" in taken
    assert not {"Cluster trio", "LabMachine m0", "LabMachine m1", "Node m1"} & set(taken)
    for one in ("m0", "m1"):
        left = machine(one).connection.run(
            "ip -br link show homespun-mesh 2>/dev/null; ip netns | grep homespun; nft list tables | grep mesh;"
            " pgrep -a 'tailscaled|headscale';"
            " ls /etc/systemd/system/multi-user.target.wants | grep -E 'mesh|scale'; true"
        )
        assert left == ""
    assert nodes(trio) == {"m0", "m1"}
    assert "homespun.dev/paths" not in trio.kubectl("get", "nodes", "-o", "yaml")
    gone = trio.kubectl("get", "pods", "--all-namespaces", "--field-selector=spec.nodeName=m2", "-o", "name")
    assert gone == ""


def edit(*machines: dict[str, Any]) -> list[str]:
    """Other settings than the file's, and `pulumi up`; what is asked for before as what it takes away."""
    project = Project(BASE, install(quiet))
    copied = project.folder / f"Pulumi.{BASE}.yaml"
    document = yaml.safe_load(copied.read_text())
    document["config"]["homespun:machines"] = list(machines)
    copied.write_text(yaml.safe_dump(document))
    taken = project.made_anew()
    ran = project.run("up", "--yes", "--skip-preview", "--stack", BASE)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return taken
