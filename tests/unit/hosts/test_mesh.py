"""What is on a machine of the mesh leaves the machine's own network alone, and lets no key lie about."""

import json
from dataclasses import replace

from homespun.hosts import headscale, mesh
from tests.unit.hosts.test_state import MESH, member

AWAY = member(2, site="away")


def test_a_machine_carries_its_pods_and_its_own_address_under_their_own_names() -> None:
    config = json.loads(mesh.tailscaled_config(AWAY, MESH))
    assert config["advertiseRoutes"] == ["10.48.0.12/32", "10.42.2.0/24"]
    assert (config["disableSNAT"], config["acceptRoutes"], config["acceptDNS"]) == (True, True, False)


def test_tailscaled_says_where_it_is_on_the_lan_which_it_cannot_see() -> None:
    assert json.loads(mesh.tailscaled_config(AWAY, MESH))["staticEndpoints"] == ["10.9.0.12:41642"]


def test_one_that_is_yet_to_be_rented_names_no_place_and_no_empty_list_of_them() -> None:
    assert "staticEndpoints" not in json.loads(mesh.tailscaled_config(replace(AWAY, lan=None), MESH))


def test_the_control_servers_machine_is_reached_from_elsewhere_at_the_address_that_all_know() -> None:
    published = replace(MESH, control_url="https://203.0.113.7:8443")
    known = json.loads(mesh.tailscaled_config(member(0, "control-plane"), published))["staticEndpoints"]
    assert known == ["10.41.0.10:41642", "203.0.113.7:41642"]
    config = json.loads(headscale.config(published))
    assert config["server_url"] == "https://203.0.113.7:8443"
    assert config["derp"]["server"]["ipv4"] == "203.0.113.7"
    assert "subjectAltName=IP:203.0.113.7,IP:10.41.0.10 " in headscale.service(member(0), published)


def test_the_key_is_read_from_a_file_and_stands_in_no_configuration() -> None:
    assert json.loads(mesh.tailscaled_config(AWAY, MESH))["authKey"] == f"file:{mesh.KEY}"
    assert mesh.KEY.startswith(mesh.STATE)


def test_all_rules_are_one_table_that_is_loaded_anew_as_a_whole() -> None:
    rules = mesh.mesh_rules(MESH)
    assert rules.startswith("table ip homespun-mesh\ndelete table ip homespun-mesh\n")
    assert "udp dport 41642 dnat to 10.48.0.1" in rules


def test_tailscaled_lives_in_the_namespace_and_trusts_the_authority_that_it_was_given() -> None:
    service = mesh.tailscaled_service(MESH, "/run/systemd/resolve/resolv.conf")
    assert "NetworkNamespacePath=/run/netns/homespun-mesh" in service
    assert f"SSL_CERT_FILE={mesh.AUTHORITY}" in service
    assert f"TS_LOGS_DIR={mesh.STATE}\n" in service
    assert "SSL_CERT_FILE" not in mesh.tailscaled_service(replace(MESH, authority=False), "/etc/resolv.conf")


def test_the_control_server_is_found_at_the_first_machine_and_asks_nobody_outside() -> None:
    config = json.loads(headscale.config(MESH))
    assert config["server_url"] == "https://10.41.0.10:8443"
    assert (config["derp"]["urls"], config["disable_check_updates"]) == ([], True)
    assert config["policy"] == {"mode": "database"}
