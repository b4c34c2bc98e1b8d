"""Each machine finds the pods and nodes of the others: over the LAN within a site, else over the mesh."""

from ipaddress import IPv4Address, IPv4Network

from homespun.hosts import ways
from homespun.hosts.ways import Way
from tests.unit.hosts.test_state import MESH, member

HERE, BESIDE, AWAY, BEYOND = member(0), member(1), member(2, site="away"), member(3, site="away")


def network(text: str) -> IPv4Network:
    return IPv4Network(text)


def test_pods_on_the_same_lan_are_behind_their_machine() -> None:
    assert ways.ways(HERE, [BESIDE], MESH) == (Way(BESIDE.pods, IPv4Address("10.41.0.11")),)


def test_pods_and_node_at_another_site_are_beyond_the_mesh() -> None:
    assert ways.ways(HERE, [AWAY], MESH) == (
        Way(AWAY.pods, MESH.inside, HERE.address),
        Way(network("10.48.0.12/32"), MESH.inside, HERE.address),
    )
    assert ways.ways(AWAY, [HERE], MESH)[1] == Way(network("10.41.0.10/32"), MESH.inside, IPv4Address("10.48.0.12"))


def test_two_machines_of_another_site_find_each_other_on_their_lan() -> None:
    assert ways.ways(AWAY, [BEYOND], MESH) == (
        Way(BEYOND.pods, IPv4Address("10.9.0.13")),
        Way(network("10.48.0.13/32"), IPv4Address("10.9.0.13")),
    )


def test_the_script_sets_each_way_the_lans_first_and_goes_on_after_one_that_fails() -> None:
    lines = ways.script(HERE, [AWAY, BESIDE], MESH).splitlines()
    set_ = [line for line in lines if line.startswith("ip route")]
    assert all(line.endswith(" || failed=1") for line in set_)
    assert [line.split()[3] for line in set_] == ["10.48.0.1", "10.42.1.0/24", "10.42.2.0/24", "10.48.0.12"]
    assert set_[-1].startswith("ip route replace 10.48.0.12 via 10.48.0.1 src 10.41.0.10 table 5119")
    assert "route" not in ways.script(HERE, [], None)


def test_what_our_own_tailscaled_sends_goes_no_way_of_the_mesh() -> None:
    assert "ip rule add not from 10.48.0.1 lookup 5119 priority 5119" in ways.script(HERE, [], MESH)
    assert "ip rule add from all lookup 5119 priority 5119" in ways.script(HERE, [], None)
