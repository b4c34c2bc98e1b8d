"""Three machines of a lab's, two on one LAN and one behind a NAT: how tests reach them, and what they ask them."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from cli.kubectl import kubeconfig
from cli.lab import machines_of
from cli.project import Project
from homespun.hosts import layout, mesh
from stacks import settings
from stacks.machines import cgroups, nspawn
from tests.e2e import killed
from tests.e2e import lab as labs
from tests.e2e import web as web_servers
from tests.e2e.lab import Lab, quiet
from tools.pulumi.install import install

NAME: Final = "trio"
BASE: Final = f"{NAME}{settings.BASE}"
ALL: Final = frozenset({"m0", "m1", "m2"})

CUT: Final = "homespun-test-cut"
FREEZERS: Final = {"freezer.state": ("FROZEN", "THAWED"), "cgroup.freeze": ("1", "0")}
"""Of a control group (v1, v2): what stops all that runs in it, and lets it go on."""

Pods = Callable[[], dict[str, dict[str, Any]]]
"""The web servers' pods, by the names of their machines."""


@contextmanager
def running(platform: bool = True) -> Iterator[Lab]:
    """The three by `make up`, from nothing, and gone at the end; or their cluster alone.

    It was killed at what several machines have besides, so every test holds of what it then ends with.
    """
    labs.down(NAME)
    try:
        for step, begun in killed.MESH_MOMENTS.items() if platform else ():
            killed.kill_at(step, begun, NAME)
        said = labs.up(NAME) if platform else labs.cluster_up(NAME)
        yield Lab(machine("m0"), kubeconfig(NAME), said)
    finally:
        labs.down(NAME)


def machine(name: str) -> nspawn.Machine:
    return next(one for one in machines_of(settings.lab(NAME)) if one.name == name)


def pulumi_up() -> str:
    return labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)


def mounted(name: str) -> bool:
    """Whether a machine sees the claim `data`."""
    return machine(name).connection.run(f"ls {layout.VOLUMES} 2>/dev/null; true").split() == ["data"]


def forget() -> None:
    """Pulumi knows of nothing any more, as after the loss of its record."""
    labs.pulumi("stack", "rm", "--force", "--yes", "--preserve-config", stack=BASE)
    Project(BASE, install(quiet)).prepare()


def listed_or_none(lab: Lab, *what: str) -> list[dict[str, Any]]:
    """What `kubectl get` finds; none where nobody can say, as after a boot."""
    said = lab.kubectl("get", *what, "-o", "json", "--request-timeout=10s", check=False)
    found: list[dict[str, Any]] = json.loads(said)["items"] if said.startswith("{") else []
    return found


def pods(lab: Lab) -> Pods:
    """What looks for the web servers' now."""
    return lambda: {one["spec"]["nodeName"]: one for one in listed_or_none(lab, "pods", "-l", "app=web")}


def nodes(lab: Lab) -> set[str]:
    """Those that are Ready; none where nobody can say."""
    return {
        one["metadata"]["name"]
        for one in listed_or_none(lab, "nodes")
        if any(entry["type"] == "Ready" and entry["status"] == "True" for entry in one["status"]["conditions"])
    }


def ask(lab: Lab, pod: str, url: str) -> list[str]:
    """Which machine answered, and under which address it was asked; [] where nobody answers."""
    return web_servers.ask(lab, pod, url).split()


def reaches(lab: Lab, pods: Pods, caller: str, called: str) -> bool:
    """Whether a pod on one machine is answered by that on another, under its own address."""
    now = pods()
    if not {caller, called} <= set(now):
        return False
    pod, address = now[caller]["metadata"]["name"], now[called]["status"].get("podIP")
    return ask(lab, pod, f"http://{address}:8000/") == [called, now[caller]["status"].get("podIP")]


def path(name: str, to: str) -> str:
    """How one machine's tailscaled reaches another's now: direct, or relay."""
    told = json.loads(machine(name).connection.run(f"{mesh.CLI} status --json"))
    (peer,) = (one for one in told["Peer"].values() if one["HostName"] == to)
    return "direct" if peer["CurAddr"] else "relay"


@contextmanager
def cut(name: str, rule: str) -> Iterator[None]:
    """Packets of a machine's are dropped by a rule of nftables, before any rule of ours."""
    reached = machine(name).connection
    reached.run(
        f"nft add table ip {CUT} && nft 'add chain ip {CUT} pre {{ type filter hook prerouting priority -350; }}'"
        f" && nft add rule ip {CUT} pre {rule} drop"
    )
    try:
        yield
    finally:
        reached.run(f"nft delete table ip {CUT}")


@contextmanager
def no_uplink() -> Iterator[None]:
    """Nothing leaves the first site's LAN."""
    bridge = machine("m0").network.bridge
    rules = f"""
table ip {CUT} {{
    chain forward {{
        type filter hook forward priority -10; policy accept;
        iifname "{bridge}" oifname != "{bridge}" drop
        oifname "{bridge}" iifname != "{bridge}" drop
    }}
}}
"""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "ip", CUT], check=True)


@contextmanager
def unplugged(name: str) -> Iterator[None]:
    """A machine's cable is out."""
    link = ["ip", "link", "set", f"vb-{NAME}-{name}"]
    subprocess.run([*link, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run([*link, "up"], check=True)


@contextmanager
def asleep(name: str) -> Iterator[None]:
    """Nothing on a machine runs, and nobody hears of it."""
    switches = [
        (path, words)
        for folder in cgroups.leftovers(machine(name).cgroup)
        for file, words in FREEZERS.items()
        if (path := folder / file).exists()
    ]
    with unplugged(name):
        try:
            for path, (freeze, _) in switches:
                path.write_text(freeze)
            yield
        finally:
            for path, (_, thaw) in switches:
                path.write_text(thaw)
