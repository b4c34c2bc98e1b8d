"""What breaks between machines heals by itself, and what does not depend on it goes on meanwhile."""

from homespun.hosts import headscale, mesh
from stacks.machines import nspawn
from tests.e2e.lab import Lab
from tests.e2e.mesh.trio import (
    ALL,
    Pods,
    cut,
    forget,
    listed_or_none,
    machine,
    mounted,
    no_uplink,
    nodes,
    path,
    pulumi_up,
    reaches,
    unplugged,
)
from tests.waiting import until


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
    with unplugged("m2"):
        until("that it is missed", lambda: nodes(trio) == {"m0", "m1"}, 120)
        assert reaches(trio, web, "m0", "m1")
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
        until("the claim `data` on m1", lambda: mounted("m1"), 60)
    nspawn.start(machine("m2"))
    until("all nodes", lambda: nodes(trio) == ALL, 120)
    until("pods beyond it", lambda: reaches(trio, web, "m0", "m2") and reaches(trio, web, "m2", "m1"), 60)


def test_where_pulumi_has_lost_its_record_the_next_up_takes_all_of_it_up_again(trio: Lab, web: Pods) -> None:
    def known() -> set[str]:
        return {one["metadata"]["uid"] for kind in ("nodes", "pods") for one in listed_or_none(trio, kind)}

    before, devices = known(), trio.ssh(f"{headscale.CLI} nodes list --output json")
    forget()
    said = pulumi_up()
    assert "created" in said
    assert known() == before
    assert trio.ssh(f"{headscale.CLI} nodes list --output json | grep -c '\"id\"'") == str(devices.count('"id"')) + "\n"
    assert "unchanged" in pulumi_up()
