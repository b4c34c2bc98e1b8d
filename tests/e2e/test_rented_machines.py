"""A machine is rented, becomes a node over the mesh, runs a pod, is replaced when it is lost, and is given back.

The market is the tests' own, held to vast.ai's documentation; what it rents out are lab machines behind a NAT.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from threading import Thread

import pytest
import yaml

from cli.kubectl import write_secret
from cli.project import Project
from homespun import places
from homespun.clients.vast import client
from homespun.clients.vast.instances import VM_IMAGES, Intent
from homespun.hosts import ssh, watchdog
from homespun.hosts.ssh import Connection
from stacks import settings
from stacks.machines import network, nspawn, rootfs
from stacks.machines.network import Network
from tests.e2e import killed
from tests.e2e import lab as labs
from tests.e2e.lab import quiet
from tests.e2e.web import pod_spec
from tests.integration.parts.vast_api import ACCOUNT_KEY, VastApi
from tests.integration.parts.vast_market import Instance
from tests.waiting import until
from tools.pulumi.install import install

NAME = "renting"
BASE = f"{NAME}{settings.BASE}"
LABEL = f"homespun.{NAME}.gpu"
LAN = Network(NAME, "hs-rent", IPv4Network("10.28.0.0/24"), published=labs.LET_IN)
AFAR = Network(NAME, "hs-rent-afar", IPv4Network("10.28.1.0/24"), "afar")
RANGES = {"podRange": "10.25.0.0/16", "serviceRange": "10.26.0.0/16", "meshRange": "10.27.0.0/24"}
TOLERATED = [{"key": "homespun.dev/rented", "operator": "Exists"}]


def machine(name: str, lan: Network, number: int) -> nspawn.Machine:
    address = IPv4Address(lan.range[10 + number])
    return nspawn.Machine(lan, places.state() / "labs" / NAME, name, address, rootfs.obtain(quiet))


@dataclass
class Hosts:
    """What stands behind the market: a machine for each instance."""

    api: VastApi
    machines: dict[int, nspawn.Machine] = field(default_factory=dict)

    def boot(self, instance: Instance) -> None:
        made = self.machines[instance.id] = machine(f"v{len(self.machines)}", AFAR, len(self.machines))
        Thread(target=self._boot, args=(instance, made)).start()

    def _boot(self, instance: Instance, made: nspawn.Machine) -> None:
        labs.boot(made)
        # The account's keys open it, and no others.
        made.connection.run("cat >/root/.ssh/authorized_keys", input="".join(self.api.market.ssh_keys))
        instance.run(str(made.address), {"22/tcp": 22})

    def destroy(self, instance: Instance) -> None:
        nspawn.destroy(self.machines.pop(instance.id))
        network.up(AFAR)  # which goes with its last machine, and the market is on it


@pytest.fixture(scope="module")
def vast() -> Iterator[VastApi]:
    network.up(AFAR)
    api = VastApi(str(AFAR.gateway))  # machines reach it too
    hosts = Hosts(api)
    api.market.on_create, api.market.on_destroy = hosts.boot, hosts.destroy
    for price in (0.3, 0.35, 0.9):
        api.market.offer(dph_base=price)
    api.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VAST_API_KEY", ACCOUNT_KEY)
            yield api
    finally:
        api.stop()
        for made in hosts.machines.values():
            nspawn.destroy(made)
        network.down(AFAR)


@pytest.fixture(scope="module")
def desk() -> Iterator[nspawn.Machine]:
    made = machine("desk", LAN, 0)
    nspawn.destroy(made)  # what a run that was killed has left
    try:
        labs.boot(made)
        yield made
    finally:
        nspawn.destroy(made)
        network.down(LAN)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The private key that opens what is rented."""
    path = tmp_path_factory.mktemp("keys") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def project(vast: VastApi, desk: nspawn.Machine, identity: Path) -> Iterator[Project]:
    """Of settings with one machine of one's own, and one to be rented."""
    own = {"name": "desk", "number": 0, "address": str(desk.address), "identity": desk.connection.identity,
           "hostKey": ssh.host_key(str(desk.address), 22)}  # fmt: skip
    base: dict[str, object] = {
        "environment": "home",
        "name": NAME,
        "machines": [own],
        "mesh": {"address": str(desk.address)},
        "cluster": RANGES,
        "rented": [{"name": "gpu", "number": 7, "maxUsdPerHour": 0.5, "gpuNames": ["RTX 4090"]}],
        "vast": {"maxUsdPerHour": 0.5, "identity": str(identity), "url": vast.url},
    }
    files: dict[str, dict[str, object]] = {NAME: {"environment": "home"}, BASE: base}
    for stack, config in files.items():
        document = {"config": {f"homespun:{name}": value for name, value in config.items()}}
        (settings.FOLDER / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document))
    try:
        made = Project(BASE, install(quiet))
        made.forget()  # what a run that was killed has left
        made.prepare()
        yield made
        labs.forget(NAME)
    finally:
        for stack in files:
            (settings.FOLDER / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def kubeconfig(project: Project, vast: VastApi) -> Iterator[Path]:
    """Of the cluster, once it is up: an `up` that was killed has rented a machine before."""
    killed.kill_at("a machine that runs", lambda _: any(one.public_ipaddr for one in instances(vast)), NAME)
    project.prepare()  # as the next `make up` does
    labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)
    file = places.state() / "renting.kubeconfig"
    write_secret(file, project.outputs()["kubeconfig"])
    yield file
    file.unlink()


def instances(vast: VastApi) -> list[Instance]:
    """What is rented now."""
    return [*vast.market.instances.values()]


def ready(kubeconfig: Path) -> set[str]:
    said = labs.kubectl(kubeconfig, "get", "nodes", "--no-headers")
    return {line.split()[0] for line in said.splitlines() if line.split()[1] == "Ready"}


def test_a_preview_says_what_it_would_cost_and_rents_nothing(vast: VastApi, project: Project) -> None:
    assert f"{LABEL}: 1 x RTX 4090, $0.3271 an hour" in labs.pulumi("preview", stack=BASE)
    assert not vast.market.instances


def test_it_becomes_a_node_of_its_own_site_and_of_an_up_that_was_killed_nothing_is_left(
    vast: VastApi, kubeconfig: Path
) -> None:
    (instance,) = instances(vast)
    assert instance.label == LABEL
    assert ready(kubeconfig) == {"desk", "gpu"}
    address = "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}"
    assert labs.kubectl(kubeconfig, "get", "node", "gpu", "-o", address) == "10.27.0.17"


def test_it_runs_a_pod_that_is_meant_for_it(kubeconfig: Path) -> None:
    assert "homespun.dev/rented" in labs.kubectl(kubeconfig, "get", "node", "gpu", "-o", "jsonpath={.spec.taints}")
    spec = {**pod_spec("-m", "http.server", "8000"), "tolerations": TOLERATED,
            "nodeSelector": {"kubernetes.io/hostname": "gpu"}}  # fmt: skip
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "afar"}, "spec": spec}
    labs.kubectl(kubeconfig, "apply", "-f", "-", input=json.dumps(pod))
    labs.kubectl(kubeconfig, "wait", "--for=condition=Ready", "pod/afar", "--timeout=120s")
    host = partial(labs.kubectl, kubeconfig, "exec", "afar", "--", "/usr/bin/python3", "-c", check=False)
    until("an answer through its kubelet", lambda: host("print(6 * 7)") == "42\n", 60)


def test_the_price_is_told_and_the_key_in_no_state(project: Project, kubeconfig: Path) -> None:
    assert project.outputs()["rented"] == {"gpu": "0.3271"}
    price = "jsonpath={.metadata.labels.homespun\\.dev/usd-per-hour}"
    assert labs.kubectl(kubeconfig, "get", "node", "gpu", "-o", price) == "0.3271"
    kept = [path for path in (places.state() / "pulumi").rglob("*") if path.is_file() and ".pulumi" in path.parts]
    assert kept
    assert not [path for path in kept if ACCOUNT_KEY.encode() in path.read_bytes()]


def test_a_second_up_changes_nothing_and_rents_nothing(vast: VastApi, kubeconfig: Path) -> None:
    rented = vast.asked["create"]
    said = labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)
    assert not any(word in said for word in ("created", "updated", "replaced", "deleted"))
    assert vast.asked["create"] == rented


def test_one_whose_cluster_is_dark_destroys_itself(
    vast: VastApi, desk: nspawn.Machine, identity: Path, kubeconfig: Path
) -> None:
    (instance,) = instances(vast)
    pinned = places.state() / "home" / f"{LABEL}.{instance.id}.known_hosts"
    rented = Connection(instance.public_ipaddr, "root", str(identity), str(pinned))
    rented.run(
        f"grep -q 'minutes 60' /etc/systemd/system/{watchdog.UNIT}"
        f" && sed -i 's/minutes 60/minutes 0.3/' /etc/systemd/system/{watchdog.UNIT}"
        f" && systemctl daemon-reload && systemctl restart {watchdog.UNIT}"
    )
    journal = f"journalctl --output cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {watchdog.UNIT})"
    until("that it has heard of its cluster", lambda: "heard of; from now on" in rented.run(journal), 60)
    nspawn.stop(desk, grace=0)
    until("its end", lambda: not vast.market.instances, 120)
    assert vast.destroyed_by[-1] == instance.api_key
    nspawn.start(desk)
    readyz = partial(labs.kubectl, kubeconfig, "get", "--raw", "/readyz", check=False)
    until("its cluster", lambda: readyz() == "ok", 120)


def test_one_that_is_lost_is_replaced_by_the_next_up(vast: VastApi, kubeconfig: Path) -> None:
    *_, lost = vast.market.destroyed
    labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)
    (instance,) = instances(vast)
    assert instance.label == lost.label
    until("both", lambda: ready(kubeconfig) == {"desk", "gpu"}, 60)


def test_one_that_leaves_the_settings_is_forgotten_and_given_back(vast: VastApi, kubeconfig: Path) -> None:
    path = settings.FOLDER / f"Pulumi.{BASE}.yaml"
    document = yaml.safe_load(path.read_text())
    del document["config"]["homespun:rented"]
    del document["config"]["homespun:mesh"]
    path.write_text(yaml.safe_dump(document))
    labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)
    assert labs.kubectl(kubeconfig, "get", "nodes", "-o", "name").split() == ["node/desk"]
    assert not vast.market.instances


def test_down_gives_back_all_of_its_labels_known_to_the_settings_or_not(vast: VastApi, kubeconfig: Path) -> None:
    account = client.connect(ACCOUNT_KEY, vast.url)
    account.create(vast.market.offer().id, Intent(LABEL, f"{VM_IMAGES}x", 40))
    other = account.create(vast.market.offer(boots=False).id, Intent("another's", f"{VM_IMAGES}x", 40))
    said = labs.down(NAME)
    assert f"gone   rented {LABEL}" in said
    assert list(vast.market.instances) == [other.id]
