"""What breaks between machines heals by itself, and what does not depend on it goes on meanwhile."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from homespun.hosts import headscale, mesh
from stacks.machines import nspawn
from tests.e2e.lab import Lab
from tests.e2e.mesh.trio import ALL, Pods, machine, nodes, reaches
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("trio")

CUT = "homespun-test-cut"


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


def test_without_a_direct_path_the_relay_carries_all_and_then_it_is_direct_again(trio: Lab, web: Pods) -> None:
    until("a direct path", lambda: reaches(trio, web, "m2", "m0") and path("m2", "m0") == "direct", 60)
    with cut("m0", f"udp dport {mesh.PORT}"), cut("m1", f"udp dport {mesh.PORT}"):
        until("the relay", lambda: reaches(trio, web, "m2", "m0") and path("m2", "m0") == "relay", 60)
        until("m1, over it", lambda: reaches(trio, web, "m1", "m2"), 30)
        assert nodes(trio) == ALL
    until("a direct path", lambda: reaches(trio, web, "m2", "m0") and path("m2", "m0") == "direct", 90)


def test_while_the_control_server_is_down_the_sites_go_on_talking(trio: Lab, web: Pods) -> None:
    trio.ssh(f"systemctl stop {headscale.UNIT}")
    try:
        for caller, called in (("m0", "m2"), ("m2", "m0"), ("m1", "m2"), ("m2", "m1")) * 3:
            assert reaches(trio, web, caller, called)
    finally:
        trio.ssh(f"systemctl start {headscale.UNIT}")


def test_a_machine_whose_link_is_cut_is_missed_and_comes_back_by_itself(trio: Lab, web: Pods) -> None:
    link = ["ip", "link", "set", "vb-trio-m2"]
    subprocess.run([*link, "down"], check=True)
    try:
        until("that it is missed", lambda: nodes(trio) == {"m0", "m1"}, 120)
        assert reaches(trio, web, "m0", "m1")
    finally:
        subprocess.run([*link, "up"], check=True)
    until("all nodes", lambda: nodes(trio) == ALL, 120)
    until("pods beyond it", lambda: reaches(trio, web, "m0", "m2") and reaches(trio, web, "m2", "m1"), 60)


def test_after_a_power_cut_the_main_site_answers_again_without_the_others(trio: Lab, web: Pods) -> None:
    for name in sorted(ALL):
        nspawn.stop(machine(name), grace=0)
    with no_uplink():
        for name in ("m0", "m1"):
            nspawn.start(machine(name))
        until("the main site", lambda: reaches(trio, web, "m0", "m1") and reaches(trio, web, "m1", "m0"), 300)
        until("that m2 is missed", lambda: nodes(trio) == {"m0", "m1"}, 120)
    nspawn.start(machine("m2"))
    until("all nodes", lambda: nodes(trio) == ALL, 120)
    until("pods beyond it", lambda: reaches(trio, web, "m0", "m2") and reaches(trio, web, "m2", "m1"), 60)


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
