"""What is said of machines is understood, and each gets a name of its own."""

import io
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from cli.errors import CommandFailed
from cli.home import Target, answered, checked_name, control_address, key_file, parsed, unique


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("me@192.168.1.20", Target("me", IPv4Address("192.168.1.20"))),
        ("192.168.1.20", Target("root", IPv4Address("192.168.1.20"))),
        ("root@10.0.0.7:2222", Target("root", IPv4Address("10.0.0.7"), 2222)),
        ("root@203.0.113.7/office", Target("root", IPv4Address("203.0.113.7"), site="office")),
    ],
)
def test_a_machine_is_a_user_at_an_address(said: str, understood: Target) -> None:
    assert parsed(said) == understood


def test_a_site_that_no_settings_can_have_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(CommandFailed, match="site: expected a lower-case word"):
        parsed("root@203.0.113.7/the-office")


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


@pytest.mark.parametrize(
    ("answer", "said"), [("\n", ""), ("203.0.113.7\n", "203.0.113.7")], ids=["its own", "its router's"]
)
def test_the_control_servers_address_is_asked_for_where_there_are_several_sites(
    answer: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    home, office = Target("me", IPv4Address("192.168.1.20")), Target("me", IPv4Address("8.8.8.8"), site="office")
    assert control_address([home, office]) == said
    assert control_address([home]) == ""  # nothing is asked: there is nothing more to read


def test_a_control_servers_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("router.example\n"))
    with pytest.raises(CommandFailed, match=r"expected an IPv4 address such as 203\.0\.113\.7, got router\.example"):
        control_address([Target("me", IPv4Address("192.168.1.20")), Target("me", IPv4Address("8.8.8.8"), site="a")])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_people_are_asked_again_where_an_answer_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("Home\nhut\n"))
    assert answered("A name", "home", checked_name) == "hut"
    assert "expected a lower-case word" in capsys.readouterr().out


def test_a_pipe_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Home\nhut\n"))
    with pytest.raises(CommandFailed):
        answered("A name", "home", checked_name)


def test_a_key_that_is_not_there_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="expected a private key, found no such file"):
        key_file(str(tmp_path / "id"))
    (tmp_path / "id").touch()
    assert key_file(str(tmp_path / "id")) == tmp_path / "id"


def test_who_has_no_answer_may_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("Home\n"))
    with pytest.raises(CommandFailed, match="expected an answer, got none; nothing was written"):
        answered("A name", "home", checked_name)
