"""All that a lab puts into the box's netfilter is one table of its own."""

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from stacks.machines import network
from stacks.machines.network import Network

LAB = Network("lab", "hs-lab", IPv4Network("10.41.0.0/24"))


def test_the_rules_are_one_table_named_after_the_lab() -> None:
    rules = network.ruleset(LAB)
    assert {line.split()[-1] for line in rules.splitlines() if line.startswith("delete")} == {"homespun-lab"}
    assert 'ip saddr 10.41.0.0/24 oifname != "hs-lab" masquerade' in rules


def test_the_box_is_the_first_address() -> None:
    assert str(LAB.gateway) == "10.41.0.1"


def test_a_stub_on_loopback_is_no_nameserver_for_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\noptions edns0\n")
    real.write_text("nameserver 192.0.2.53\n")
    monkeypatch.setattr(network, "RESOLVERS", (stub, real))
    assert network.nameservers() == ["192.0.2.53"]


def test_nobody_is_let_in_from_outside_but_where_a_port_is_published() -> None:
    rules = network.ruleset(replace(LAB, published=("tcp dport 8443",)))
    chain = rules[rules.index("chain ingress") :]
    order = [chain.index(words) for words in ("established,related accept", "tcp dport 8443 accept", "drop")]
    assert order == sorted(order)


def test_a_network_is_known_by_what_was_written_down_of_it(tmp_path: Path) -> None:
    away = Network("lab", "hs-away", IPv4Network("10.9.0.0/24"), "away", ("udp dport 41642",))
    network.record(away, tmp_path / "network.json")
    assert network.recorded(tmp_path / "network.json") == away
    assert network.recorded(tmp_path / "none") is None
