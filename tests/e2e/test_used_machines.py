"""Used machines become a cluster and are left as they were: one has containerd and a container, one a tailnet client.

They are lab machines that stand for boxes, two at home and one elsewhere, behind a NAT each: nothing of Homespun is on
them, and one lets in a user who may sudo.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import kubectl
from cli.project import Project
from homespun import places
from homespun.hosts import layout
from homespun.hosts.ssh import Connection
from stacks import settings
from stacks.cluster import images
from stacks.machines import nspawn, rootfs
from stacks.machines.network import Network
from tests.e2e import client
from tests.e2e import lab as labs
from tests.e2e.lab import quiet
from tests.integration.parts.headscale import Headscale
from tests.waiting import until
from tools.obtain import architecture
from tools.pulumi.install import install

NAME = "used"
BASE = f"{NAME}{settings.BASE}"
LAN = Network(NAME, "hs-used", IPv4Network("10.34.0.0/24"), published=labs.LET_IN)
ELSEWHERE = Network(NAME, "hs-used-away", IPv4Network("10.34.1.0/24"), "away")
ALSO = ("containerd", "sudo")
MACHINES = "homespun:machines"
RANGES = {"podRange": "10.30.0.0/16", "serviceRange": "10.31.0.0/16", "meshRange": "10.32.0.0/24"}
OURS = (layout.PREFIX, layout.ROOT, layout.RUN, layout.VOLUMES, layout.AUDIT_LOG_FOLDER, "/etc/kubernetes",
        "/var/lib/kubelet", "/var/lib/etcd", "/etc/systemd/system/homespun", "/etc/systemd/system/kubelet",
        "/etc/sysctl.d/60-homespun.conf", "/etc/modules-load.d/homespun.conf", "/var/lib/cni",
        "/var/log/containers")  # fmt: skip
"""Where docs/home.md says that we put files."""
SNAPSHOT = """
echo "===== files"
find /etc /opt /root /home -xdev -type f ! -path '/opt/homespun/*' -exec sha256sum {} + | sort
find /usr /var/lib -xdev -type f ! -path '/var/lib/containerd/*' ! -path '/var/lib/tailscale/*' \
    ! -path '/var/lib/systemd/*' ! -path '/var/lib/homespun-volumes/*' -printf '%s,%T@,%m %p\n' | sort
echo "===== folders"
find /etc /usr /opt /root /home /var/lib /var/log -xdev -maxdepth 3 -type d ! -path '/var/lib/containerd/*' \
    ! -path '/var/lib/homespun-volumes*'
echo "===== rules"; ip rule; nft -s list ruleset | sed '/^table/!s/^/  /'
echo "===== routes"; ip -o route show table all | grep -v ' dev homespun' | sed 's/ expires [0-9]*sec//'
echo "===== mounts"; awk '$2 != "/run/netns" {print $2, $3}' /proc/mounts | sort -u
echo "===== units"; systemctl list-units --type=service --state=running --plain --no-legend | awk '{print $1}'
echo "===== failed"; systemctl list-units --state=failed --plain --no-legend | awk '{print $1}'
echo "===== slices"; systemctl list-units --type=slice --state=active --plain --no-legend | awk '!/^user-/ {print $1}'
echo "===== groups"; find /sys/fs/cgroup -type d \\( -name 'kubepods*' -o -name 'homespun*' \\)
echo "===== containers"; ctr tasks ls
echo "===== tailnet"; [ -x /usr/local/bin/tailscale ] && tailscale status --peers=false | grep -v -e '^#' -e '^$'; true
"""

EMPTY_CHAIN = re.compile(r"\n\s*chain \S+ \{\n\s*type [^\n]*policy accept;\n\s*\}")
EMPTY_TABLE = re.compile(r"\n\s*table ip6? (filter|nat|mangle) \{\n\s*\}")
"""What iptables makes when it is merely asked; none of it does anything."""


def box(name: str, lan: Network, number: int) -> nspawn.Machine:
    """A machine as it stands in a corner, with Debian's containerd on it."""
    tree = rootfs.obtain(quiet, ALSO)
    machine = nspawn.Machine(lan, places.state() / "labs" / NAME, name, IPv4Address(lan.range[number]), tree)
    labs.boot(machine)
    return machine


@pytest.fixture(scope="module")
def boxes() -> Iterator[dict[str, nspawn.Machine]]:
    made = {}
    settled = [settings.FOLDER / f"Pulumi.{stack}.yaml" for stack in (NAME, BASE)]
    try:
        made = {
            name: box(name, lan, number)
            for name, lan, number in (("desk", LAN, 10), ("shelf", LAN, 11), ("attic", ELSEWHERE, 10))
        }
        yield made
    finally:
        labs.forget(NAME)
        for path in settled:
            path.unlink(missing_ok=True)
        for machine in made.values():
            nspawn.destroy(machine)


@pytest.fixture(scope="module")
def desk(boxes: dict[str, nspawn.Machine]) -> Connection:
    """Its owner lets a user in, and runs a container of his own."""
    reached = boxes["desk"].connection
    reached.run(
        "useradd --create-home me && echo 'me ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/me"
        " && cp -r /root/.ssh /home/me/ && chown -R me: /home/me/.ssh && systemctl start containerd"
    )
    pause = images.pause()
    with Path(images.build(pause, architecture()).archive.path).open("rb") as archive:
        reached.send(partial(shutil.copyfileobj, archive), "ctr images import -")
    reached.run(f"ctr run --detach {pause.reference} precious")
    return reached


@pytest.fixture(scope="module")
def attic(boxes: dict[str, nspawn.Machine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """It is in a tailnet of its owner's."""
    reached = boxes["attic"].connection
    control = Headscale(tmp_path_factory.mktemp("hs"), str(ELSEWHERE.gateway), 9443)
    control.start()
    try:
        client.join(reached, control)
        yield reached
    finally:
        control.stop()


def snapshot(machine: Connection) -> dict[str, set[str]]:
    """What is on it, by kind."""
    said = EMPTY_TABLE.sub("", EMPTY_CHAIN.sub("", machine.run(SNAPSHOT, timeout=120)))
    return {name: set(lines) for name, *lines in (part.splitlines() for part in said.split("===== ")[1:])}


@pytest.fixture(scope="module")
def machines(boxes: dict[str, nspawn.Machine], desk: Connection, attic: Connection) -> dict[str, Connection]:
    """As their owner reaches them."""
    return {"desk": desk, "shelf": boxes["shelf"].connection, "attic": attic}


@pytest.fixture(scope="module")
def before(machines: dict[str, Connection]) -> dict[str, dict[str, set[str]]]:
    return {name: snapshot(machine) for name, machine in machines.items()}


@pytest.fixture(scope="module")
def project(boxes: dict[str, nspawn.Machine], before: dict[str, dict[str, set[str]]]) -> Project:
    """By the settings that `make home` has written."""
    key = boxes["desk"].connection.identity
    listed = f"me@{boxes['desk'].address} {boxes['shelf'].address} {boxes['attic'].address}/away"
    said = labs.home(f"{NAME}\n{listed}\n\n{key}\nml\nyes\n")
    assert "desk: debian 12" in said
    assert "left alone: containerd" in said
    assert "in the way" not in said
    edit(lambda config: config.update({"homespun:cluster": RANGES}))
    found = Project(BASE, install(quiet))
    found.prepare()
    return found


@pytest.fixture(scope="module")
def alone(project: Project) -> str:
    """What `make up` of the first one says. The others come later: it has no mesh yet."""
    listed: list[Any] = []
    edit(lambda config: listed.extend(config[MACHINES]))
    edit(lambda config: config.update({MACHINES: listed[:1]}))
    said = labs.up(NAME)
    edit(lambda config: config.update({MACHINES: listed}))
    return said


@pytest.fixture(scope="module")
def kubeconfig(alone: str) -> Path:
    """Of the cluster that it becomes with the others, on its LAN and elsewhere."""
    labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)
    return kubectl.kubeconfig(NAME)


def edit(change: Callable[[dict[str, Any]], object]) -> None:
    """Change the settings."""
    path = settings.FOLDER / f"Pulumi.{BASE}.yaml"
    document = yaml.safe_load(path.read_text())
    change(document["config"])
    path.write_text(yaml.safe_dump(document))


def test_a_range_that_a_machine_has_another_way_into_is_refused_in_a_preview(
    project: Project, desk: Connection
) -> None:
    desk.run(f"ip route add 10.31.8.0/24 via {LAN.gateway}")
    try:
        ran = project.run("preview", "--stack", BASE)
    finally:
        desk.run("ip route delete 10.31.8.0/24")
    assert ran.returncode != 0
    assert "homespun:cluster.serviceRange (10.31.0.0/16): expected no route of the machine's" in ran.stdout + ran.stderr


def test_make_up_of_a_used_machine_ends_with_an_answer(alone: str) -> None:
    assert "Attention Is All You Need" in alone
    assert labs.ask("hello", address=LAN.range[10])[0] == 200


def test_used_machines_become_nodes_of_a_cluster_that_is_there_and_it_goes_on_answering(kubeconfig: Path) -> None:
    assert labs.ask("hello", address=LAN.range[10])[0] == 200
    listed = json.loads(labs.kubectl(kubeconfig, "get", "nodes", "-o", "json"))["items"]
    ready = {
        one["metadata"]["name"]: [entry["status"] for entry in one["status"]["conditions"] if entry["type"] == "Ready"]
        for one in listed
    }
    assert ready == {name: ["True"] for name in ("desk", "shelf", "attic")}


def test_one_that_is_elsewhere_is_reached_over_the_mesh_alone(
    kubeconfig: Path, boxes: dict[str, nspawn.Machine], desk: Connection
) -> None:
    address = "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}"
    assert labs.kubectl(kubeconfig, "get", "node", "attic", "-o", address) == "10.32.0.12"
    healthz = partial(labs.kubectl, kubeconfig, "get", "--raw", "/api/v1/nodes/attic/proxy/healthz", check=False)
    until("its kubelet's answer to the API server", lambda: healthz() == "ok", 60)
    directly = f"import socket; socket.create_connection(('{boxes['attic'].address}', 22), timeout=3)"
    assert "timed out" in desk.run(f'python3 -c "{directly}" 2>&1 | tail -1')


@pytest.mark.usefixtures("kubeconfig")
def test_nothing_that_was_there_is_touched(
    before: dict[str, dict[str, set[str]]], machines: dict[str, Connection]
) -> None:
    for name, machine in machines.items():
        now = snapshot(machine)
        new = now["folders"] - before[name]["folders"]
        assert [path for path in sorted(new) if not path.startswith(OURS)] == [], name
        gone = {kind: lines - now[kind] for kind, lines in before[name].items() if lines - now[kind]}
        assert {line.split()[1] for line in gone.pop("files", set())} <= {"/etc/hosts"}, name
        assert gone == {}, name
        files = {line.split()[1] for line in now["files"] - before[name]["files"]} - {"/etc/hosts"}
        assert [path for path in sorted(files) if not path.startswith(OURS)] == [], name


@pytest.mark.usefixtures("kubeconfig")
def test_beside_the_first_one_sees_the_claim_data_and_no_owners_file_is_in_it(machines: dict[str, Connection]) -> None:
    assert machines["shelf"].run(f"ls {layout.VOLUMES}").split() == ["data"]
    assert machines["attic"].run(f"ls -d {layout.VOLUMES} 2>/dev/null; true") == ""


def test_one_that_is_off_keeps_no_up_from_the_others_and_is_back_by_itself(
    kubeconfig: Path, boxes: dict[str, nspawn.Machine]
) -> None:
    nspawn.stop(boxes["shelf"], grace=0)
    said = labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)
    assert re.search(r"root@10\.34\.0\.11: ssh: connect to host .* it stays as it was", said)
    nspawn.start(boxes["shelf"])
    mounted = partial(boxes["shelf"].connection.run, f"ls {layout.VOLUMES} 2>/dev/null; true")
    until("what the first one shows it", lambda: mounted().split() == ["data"], 60)
    healthz = partial(labs.kubectl, kubeconfig, "get", "--raw", "/api/v1/nodes/shelf/proxy/healthz", check=False)
    until("its kubelet's answer to the API server", lambda: healthz() == "ok", 120)


def test_those_that_leave_the_list_are_what_they_were(
    kubeconfig: Path, before: dict[str, dict[str, set[str]]], machines: dict[str, Connection]
) -> None:
    edit(lambda config: config.update({MACHINES: config[MACHINES][:1]}))
    labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)
    assert labs.kubectl(kubeconfig, "get", "nodes", "-o", "name").split() == ["node/desk"]
    for name in ("shelf", "attic"):
        now = snapshot(machines[name])
        assert {kind: lines ^ now[kind] for kind, lines in before[name].items() if lines ^ now[kind]} == {}, name


def test_down_leaves_them_as_they_were(
    kubeconfig: Path, before: dict[str, dict[str, set[str]]], machines: dict[str, Connection]
) -> None:
    assert kubeconfig.exists()
    assert f"gone   cluster {NAME}" in labs.down(NAME)
    for name, machine in machines.items():
        now = snapshot(machine)
        assert {kind: lines ^ now[kind] for kind, lines in before[name].items() if lines ^ now[kind]} == {}, name
