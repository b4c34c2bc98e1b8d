"""What is said of machines is understood, and each gets a name of its own."""

from ipaddress import IPv4Address

import pytest

from cli.errors import CommandFailed
from cli.home import Named, checked_name, parsed, unique


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("me@192.168.1.20", Named("me", IPv4Address("192.168.1.20"))),
        ("192.168.1.20", Named("root", IPv4Address("192.168.1.20"))),
        ("root@10.0.0.7:2222", Named("root", IPv4Address("10.0.0.7"), 2222)),
        ("root@203.0.113.7/office", Named("root", IPv4Address("203.0.113.7"), site="office")),
    ],
)
def test_a_machine_is_a_user_at_an_address(said: str, understood: Named) -> None:
    assert parsed(said) == understood


@pytest.mark.parametrize(
    "said", ["desk", "me@desk.local", "me@192.168.1", "me@1.2.3.4:ssh", "Me@1.2.3.4", "a b", "me@1.2.3.4/"]
)
def test_anything_else_is_refused(said: str) -> None:
    with pytest.raises(CommandFailed, match="expected user@address"):
        parsed(said)


def test_machines_of_the_same_name_get_different_ones() -> None:
    assert unique(["Desk", "desk-1", "desk", "42.attic", ""]) == ["desk", "desk-1", "desk-2", "n-42-attic", "node"]


@pytest.mark.parametrize("name", ["", "Home", "home-base", "a/b", "x" * 21])
def test_a_name_that_no_stack_can_have_is_refused(name: str) -> None:
    with pytest.raises(CommandFailed, match="name: expected a lower-case word"):
        checked_name(name)
