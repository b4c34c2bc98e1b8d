"""`make home`: asks for machines of one's own, looks at them, and writes the settings of an environment of them."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from cli.doctor import described
from cli.errors import CommandFailed, make
from cli.obstacles import machine_obstacles
from homespun.hosts import facts, ssh
from homespun.hosts.errors import HostError
from homespun.hosts.ssh import Connection
from stacks import settings
from stacks.machines import own
from stacks.settings import BASE, FOLDER, HOME, HomeBase
from stacks.settings.base_stack import NAME_LETTERS
from stacks.settings.fields import check_word
from stacks.settings.machines import SITE_LETTERS

DEFAULT_KEY: Final = "~/.ssh/id_ed25519"
T = TypeVar("T")
MACHINES: Final = "Machines, as user@address, the control plane's first (user@address/site for those on other LANs)"


@dataclass(frozen=True)
class Target:
    """A machine, as it was asked for."""

    user: str
    address: IPv4Address
    port: int = 22
    site: str = HOME


@dataclass(frozen=True)
class Found:
    """A machine that answers."""

    target: Target
    host_key: str
    name: str = ""

    @property
    def known_host(self) -> str:
        """Its line of known_hosts."""
        return ssh.known_host(str(self.target.address), self.target.port, self.host_key)

    def settings(self, number: int, identity: str) -> dict[str, Any]:
        """As it stands in the file."""
        target = self.target
        port = {} if target.port == 22 else {"port": target.port}
        site = {} if target.site == HOME else {"site": target.site}
        return {
            "name": self.name, "number": number, **site, "address": str(target.address), **port, "user": target.user,
            "identity": identity, "hostKey": self.host_key,
        }  # fmt: skip


def home() -> None:
    """Ask, look, write. Nothing is touched on any machine. Raises CommandFailed, SettingsError."""
    name = answered("A name for this environment", "home", new_name)
    path, platform_path = _files(name)
    machines = answered(MACHINES, "", lambda said: [_scanned(one) for one in parsed_all(said)])
    reached = control_address([one.target for one in machines])
    identity = answered("The private key that opens them", DEFAULT_KEY, key_file)
    platform = answered("A Kubernetes namespace for your objects", "ml", lambda said: _platform(said, platform_path))
    for one in machines:
        print(f"  {one.target.address}  {_fingerprint(one)}")
    print("  a machine shows its own by: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    if _asked("Are these your machines' fingerprints?", "no") not in ("y", "yes"):
        raise CommandFailed("expected yes; nothing was written")
    named = _named(machines, identity)
    base = {
        "homespun:environment": "home",
        "homespun:name": name,
        **({"homespun:mesh": {"address": reached}} if reached else {}),
        "homespun:machines": [one.settings(number, str(identity)) for number, one in enumerate(named)],
    }
    checked = settings.parse_base(base, path.name)
    assert isinstance(checked, HomeBase)
    _look(checked)
    _write(platform_path, platform)
    _write(path, base)
    print(f"next   {make('doctor', name)}, {make('up', name)}; `{make('down', name)}` leaves the machines as they were")


def checked_name(name: str) -> str:
    """An environment's name. Raises CommandFailed."""
    try:
        check_word(name, NAME_LETTERS)
    except ValueError as error:
        raise CommandFailed(f"name: expected {error}, got {name}") from None
    if name.endswith(BASE):
        raise CommandFailed(f"name: expected a lower-case word without {BASE} at its end, got {name}")
    return name


def new_name(said: str) -> str:
    """One that has no settings yet. Raises CommandFailed."""
    name = checked_name(said)
    for there in _files(name):
        if there.exists():
            raise CommandFailed(f"{there}: expected none, found one; edit it, or say another name")
    return name


def _files(name: str) -> tuple[Path, Path]:
    """The settings of the machines, and of what runs on them."""
    return FOLDER / f"Pulumi.{name}{BASE}.yaml", FOLDER / f"Pulumi.{name}.yaml"


def key_file(said: str) -> Path:
    """A file that may be a private key. Raises CommandFailed."""
    path = Path(said).expanduser().absolute()
    if not path.is_file():
        raise CommandFailed(f"{path}: expected a private key, found no such file")
    return path


def _platform(namespace: str, path: Path) -> dict[str, Any]:
    """The settings of what runs on the machines. Raises SettingsError."""
    config = {"homespun:environment": "home", "homespun:namespace": namespace}
    settings.parse_platform(config, path.name)
    return config


def parsed_all(said: str) -> list[Target]:
    """The machines of an answer. Raises CommandFailed."""
    listed = [parsed(one) for one in said.split()]
    if not listed:
        raise CommandFailed("machines: expected at least one, such as me@192.168.1.20, got none")
    return listed


def parsed(words: str) -> Target:
    """`[user@]address[:port][/site]`. Raises CommandFailed."""
    match = re.fullmatch(r"(?:([a-z_][a-z0-9_-]*)@)?([0-9.]+)(?::([0-9]{1,5}))?(?:/([a-z][a-z0-9-]*))?", words)
    address = _address(match[2]) if match else None
    if not match or not address:
        raise CommandFailed(
            "machines: expected user@address such as me@192.168.1.20 (an IPv4 address of its LAN), and for one"
            f" elsewhere its site, such as root@203.0.113.7/office, got {words}"
        )
    try:
        check_word(match[4] or HOME, SITE_LETTERS)
    except ValueError as error:
        raise CommandFailed(f"machines: {words}: site: expected {error}, got {match[4]}") from None
    return Target(match[1] or "root", address, int(match[3] or 22), match[4] or HOME)


def control_address(targets: list[Target]) -> str:
    """Where those at other sites reach the first machine; '' where there are none, or its own address is that."""
    first = targets[0]
    if all(one.site == first.site for one in targets):
        return ""

    def read(said: str) -> str:
        if not _address(said):
            raise CommandFailed(f"address: expected an IPv4 address such as 203.0.113.7, got {said}")
        return said if said != str(first.address) else ""

    return answered("The address at which machines at other sites reach the first one", str(first.address), read)


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def unique(names: list[str]) -> list[str]:
    """Names of nodes, out of what machines call themselves: each once, lower-case words."""
    made: list[str] = []
    for name in names:
        word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        word = (word if word[:1].isalpha() else f"n-{word}" if word else "node")[:36].strip("-")
        made.append(next(one for number in count() if (one := f"{word}-{number}" if number else word) not in made))
    return made


def answered(question: str, default: str, read: Callable[[str], T]) -> T:
    """What `read` makes of the answer. Where it refuses it, people are told why, and asked again.

    Raises CommandFailed where there is no answer, and what `read` raises where nobody is there to ask again.
    """
    while True:
        said = _asked(question, default)
        try:
            return read(said)
        except (CommandFailed, settings.SettingsError) as error:
            if not sys.stdin.isatty():
                raise
            print(f"  {error}")


def _asked(question: str, default: str) -> str:
    sys.stdout.write(f"{question}{f' [{default}]' if default else ''}: ")
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        raise CommandFailed(f"{question}: expected an answer, got none; nothing was written")
    return line.strip() or default


def _scanned(target: Target) -> Found:
    if key := ssh.host_key(str(target.address), target.port):
        return Found(target, key)
    raise CommandFailed(
        f"{target.address}: expected SSH on port {target.port}, with a host key of type {ssh.KEY_TYPE}, found none"
    )


def _fingerprint(machine: Found) -> str:
    ran = subprocess.run(["ssh-keygen", "-lf", "-"], input=machine.host_key, capture_output=True, text=True, check=True)
    return ran.stdout.split()[1]


def _named(machines: list[Found], identity: Path) -> list[Found]:
    """With the names that the machines have. Raises CommandFailed where one does not let us in."""
    with tempfile.NamedTemporaryFile("w", suffix=".known_hosts") as pinned:
        pinned.writelines(one.known_host for one in machines)
        pinned.flush()
        try:
            said = [
                Connection(str(one.address), one.user, str(identity), pinned.name, one.port).run("hostname -s").strip()
                for one in (machine.target for machine in machines)
            ]
        except HostError as error:
            raise CommandFailed(
                f"{error}\nexpected to be let in by this key, as root or as one who may `sudo` without a password"
            ) from None
    return [replace(one, name=name) for one, name in zip(machines, unique(said), strict=True)]


def _look(found: HomeBase) -> None:
    own.pin(found)
    for name, connection in own.connections(found).items():
        machine = facts.read(connection)
        print(f"  {name}: {described(machine)}")
        for line in machine_obstacles(name, machine, found):
            print(f"  in the way  {line}")


def _write(path: Path, config: dict[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(yaml.safe_dump({"config": config}, sort_keys=False, allow_unicode=True))
    draft.rename(path)
    print(f"wrote  {path.relative_to(FOLDER.parent)}")
