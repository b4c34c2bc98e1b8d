"""Two machines, each behind a NAT of its own, are one cluster by a tailnet at Tailscale's service, and leave no trace.

For that service stands a real headscale, at an address that is on neither LAN, and before it a server that speaks
Tailscale's API (`tests.integration.parts.tailscale_front`). What runs on the machines is what runs at home: tailscaled
joins over TLS, relay and STUN are the control server's. Its authority is put among those that a machine trusts, where a
public one is already at home; for that the machines are made before `pulumi up` would make them.

The policy is somebody's, whose devices reach each other by it: nothing in it is about machines of a cluster. One of
these devices is there too, behind a NAT of its own, and finds the cluster by its names.
"""

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from itertools import permutations

import pytest
import yaml

from cli.kubectl import kubeconfig
from cli.lab import machines_of
from cli.project import Project
from homespun import places
from homespun.hosts import mesh
from homespun.hosts.ssh import Connection
from stacks import settings
from stacks.machines import nspawn, rootfs
from stacks.machines.network import Network
from stacks.mesh import control, marked, policy
from tests.e2e import client, web
from tests.e2e import lab as labs
from tests.e2e.lab import Lab, quiet
from tests.e2e.mesh.trio import nodes, pods, reaches
from tests.integration.parts.headscale import Headscale
from tests.integration.parts.tailscale_api import CLIENT_ID, CLIENT_SECRET
from tests.integration.parts.tailscale_front import TailscaleFront
from tests.waiting import until
from tools.pulumi.install import install

NAME = "tailnet"
BASE = f"{NAME}{settings.BASE}"
ALL = {"m0", "m1"}
DOMAIN = "tailnet.internal"
ADDRESS = "203.0.113.1"
"""The control server's (RFC 5737): the box's own meanwhile, and on no LAN, so that it outlives the lab."""
THEIRS = """// Ours since 2023. Ask before you change it!
{
	"acls": [
		{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:member:*"]}, // phones and desks
	],
}
"""


@pytest.fixture(scope="module")
def tailscale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TailscaleFront]:
    """The service. Its credential is in the environment, and nowhere else."""
    subprocess.run(["ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo"], check=True)
    server = Headscale(tmp_path_factory.mktemp("hs"), ADDRESS)
    server.start()
    front = TailscaleFront(policy=THEIRS, server=server)
    front.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(control.CLIENT_ID, CLIENT_ID)
            patch.setenv(control.CLIENT_SECRET, CLIENT_SECRET)
            patch.setenv(control.BASE_URL, front.url)
            labs.down(NAME)
            try:
                _boot(server.authority.read_text())
                yield front
            finally:
                labs.down(NAME)
    finally:
        front.stop()
        server.stop()
        subprocess.run(["ip", "address", "delete", f"{ADDRESS}/32", "dev", "lo"], check=True)


def _boot(authority: str) -> None:
    """The lab's machines, which trust the authority as they trust the public ones."""
    rootfs.obtain(quiet)
    for machine in machines_of(settings.lab(NAME)):
        nspawn.create(machine)
        nspawn.start(machine)
        machine.connection.write("/usr/local/share/ca-certificates/control.crt", authority)
        machine.connection.run("update-ca-certificates")


@pytest.fixture(scope="module")
def cluster(tailscale: TailscaleFront) -> Lab:
    """By `pulumi up`, whose settings allow to add to the policy."""
    said = labs.cluster_up(NAME)
    return Lab(machines_of(settings.lab(NAME))[0], kubeconfig(NAME), said)


def test_without_leave_the_difference_is_shown_and_nothing_is_changed(tailscale: TailscaleFront) -> None:
    project = Project(BASE, install(quiet))
    project.prepare()
    copied = project.folder / f"Pulumi.{BASE}.yaml"
    document = yaml.safe_load(copied.read_text())
    del document["config"]["homespun:mesh"]["adopt"]
    copied.write_text(yaml.safe_dump(document))
    ran = project.run("up", "--yes", "--skip-preview", "--stack", BASE)
    assert ran.returncode != 0
    assert "somebody's; nothing was changed" in ran.stdout
    assert '"10.21.0.0/16": ["tag:homespun"]' in ran.stdout
    assert tailscale.behind.policy().text == THEIRS
    assert tailscale.behind.devices() == ()


def test_both_machines_are_nodes(cluster: Lab) -> None:
    until("both", lambda: nodes(cluster) == ALL, 60)


def test_pods_of_both_sites_reach_each_other_under_their_own_addresses(cluster: Lab) -> None:
    web.everywhere(cluster)
    for caller, called in permutations(ALL, 2):
        until(f"an answer of {called} for {caller}", partial(reaches, cluster, pods(cluster), caller, called), 30)


@pytest.fixture(scope="module")
def phone(tailscale: TailscaleFront) -> Iterator[Connection]:
    """A device of the owner's."""
    home = Network("phone", "hs-phone", IPv4Network("10.24.2.0/24"))
    made = nspawn.Machine(home, places.state() / "labs/phone", "phone", IPv4Address("10.24.2.10"), rootfs.obtain(quiet))
    try:
        labs.boot(made)
        client.join(made.connection, tailscale.server)
        yield made.connection
    finally:
        nspawn.destroy(made)


def test_an_owners_device_finds_the_cluster_by_its_names_and_asks_what_nodes_show(
    cluster: Lab, tailscale: TailscaleFront, phone: Connection
) -> None:
    web.everywhere(cluster)
    ports = [{"port": 80, "targetPort": 8000, "nodePort": 30999}]
    shown = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shown"},
             "spec": {"type": "NodePort", "selector": web.LABELS, "ports": ports}}  # fmt: skip
    cluster.kubectl("apply", "-f", "-", input=json.dumps(shown))
    (first,) = (one for one in tailscale.behind.devices() if one.hostname == "m0")
    address, *_ = first.addresses
    found = partial(phone.run, f"getent ahostsv4 models.{DOMAIN} | head -1; true")
    until("its name", lambda: found().split()[:1] == [address], 60)
    ask = partial(phone.run, f"curl --silent --max-time 5 http://cloud.{DOMAIN}:30999/ || true")
    until("an answer", lambda: ask().split()[:1] in (["m0"], ["m1"]), 60)
    kubelet = phone.run(f"curl --silent --max-time 3 --insecure https://cloud.{DOMAIN}:10250/healthz; echo $?")
    assert kubelet == "28\n"


def test_the_policy_is_its_owners_and_our_part(cluster: Lab, tailscale: TailscaleFront) -> None:
    found = tailscale.behind.policy().text
    assert marked.removed(found, NAME) == THEIRS
    assert found == policy.added(THEIRS, NAME, map(str, settings.lab(NAME).carried), named=True)
    ours = [one for one in tailscale.behind.devices() if policy.TAG in one.tags]
    carried = {one.hostname: set(one.enabled_routes) for one in ours}
    assert carried == {"m0": {"10.24.0.10/32", "10.21.0.0/24"}, "m1": {"10.23.0.11/32", "10.21.1.0/24"}}


def test_a_second_up_changes_nothing(cluster: Lab, tailscale: TailscaleFront) -> None:
    before = tailscale.behind.policy()
    said = labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)
    assert "unchanged" in said
    assert not any(word in said for word in ("created", "updated", "replaced", "deleted"))
    assert tailscale.behind.policy() == before


def test_no_key_stays_and_no_secret_is_in_any_state(cluster: Lab, tailscale: TailscaleFront) -> None:
    assert tailscale.behind.keys() == ()
    for machine in machines_of(settings.lab(NAME)):
        assert machine.connection.run(f"cat {mesh.KEY}") == ""
    kept = [path for path in (places.state() / "pulumi").rglob("*") if path.is_file() and ".pulumi" in path.parts]
    assert kept
    for secret in (CLIENT_SECRET, "tskey-", "hskey-"):
        assert not [path for path in kept if secret.encode() in path.read_bytes()], secret


def test_down_leaves_the_policy_as_it_was_and_no_device_and_no_machine(cluster: Lab, tailscale: TailscaleFront) -> None:
    said = labs.down(NAME)
    assert f"gone   lab {NAME}" in said
    assert "gone   from the tailnet: part of the policy" in said
    assert tailscale.behind.policy().text == THEIRS
    assert [one.hostname for one in tailscale.behind.devices() if policy.TAG in one.tags] == []
    assert tailscale.split == {}
    assert not nspawn.check_leftovers(cluster.machine)
