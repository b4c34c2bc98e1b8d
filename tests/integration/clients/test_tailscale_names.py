"""The names of a tailnet: what is ours changes, what is others' stays."""

from dataclasses import replace

import pytest

from homespun.clients.errors import Refused
from homespun.clients.tailnet import Dns
from homespun.clients.tailscale import Tailscale
from tests.integration.parts.tailscale_api import Fault, TailscaleApi

BARE = Dns(magic=False, nameservers=(), search_paths=(), split={})
WANTED = Dns(
    magic=True,
    nameservers=("9.9.9.9",),
    search_paths=("home.test",),
    split={"cluster.test": ("100.64.0.1", "100.64.0.2")},
)


def test_names_are_put_and_read_again(tailnet: Tailscale) -> None:
    assert tailnet.dns() == BARE
    tailnet.put_dns(WANTED, BARE)
    assert tailnet.dns() == WANTED
    tailnet.put_dns(BARE, WANTED)
    assert tailnet.dns() == BARE


def test_names_for_a_domain_of_others_stay(api: TailscaleApi, tailnet: Tailscale) -> None:
    api.split = {"theirs.test": ["10.0.0.1"]}
    before = tailnet.dns()
    tailnet.put_dns(replace(before, split={**before.split, "cluster.test": ("100.64.0.1",)}), before)
    assert api.split == {"theirs.test": ["10.0.0.1"], "cluster.test": ["100.64.0.1"]}


def test_magic_names_outlive_a_change_of_name_servers(api: TailscaleApi, by_key: Tailscale) -> None:
    by_key.put_dns(WANTED, BARE)
    by_key.put_dns(replace(WANTED, nameservers=("1.1.1.1",)), WANTED)
    assert api.magic


def test_magic_names_without_a_name_server_are_told(by_key: Tailscale) -> None:
    with pytest.raises(Refused, match="needs at least one name server"):
        by_key.put_dns(replace(BARE, magic=True), BARE)


def test_a_lost_answer_is_asked_for_again(api: TailscaleApi, by_key: Tailscale) -> None:
    api.faults += [Fault("POST", "/nameservers", lost=True), Fault("PATCH", "/split-dns", lost=True)]
    by_key.put_dns(WANTED, BARE)
    assert by_key.dns() == WANTED
