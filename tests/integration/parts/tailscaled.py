"""A real tailscaled, as a machine over SSH has it: what a device's resource says to that machine is done here."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import ClassVar

from homespun.hosts import mesh
from homespun.hosts.cluster import Member, Mesh
from tests.integration.parts.kubernetes import command
from tests.integration.parts.process import Process

ADDRESS = "192.0.2.2"
CARD = (f"ip link add eth7 type veth peer name eth8 && ip address add {ADDRESS}/24 dev eth7 && ip link set eth7 up"
        " && ip link set eth8 up && ip route add default via 192.0.2.1")  # fmt: skip
"""Without a network card tailscaled waits for one, and the tests' namespace has none (RFC 5737)."""


@dataclass
class Tailscaled:
    """By the configuration that a machine is given; its packets go nowhere."""

    folder: Path
    control_url: str
    address: ClassVar = ADDRESS
    process: Process | None = field(default=None, init=False)
    carried: ClassVar = ("10.42.0.0/24", f"{ADDRESS}/32")
    """Its pods, and itself."""

    def __post_init__(self) -> None:
        self.folder.mkdir()
        subprocess.run(["sh", "-c", CARD], check=True)
        address = IPv4Address(self.address)
        member = Member("desk", "worker", "home", address, address, IPv4Network(self.carried[0]))
        joined = Mesh(self.control_url, authority=True, inside=IPv4Address("10.43.0.1"))
        told = json.loads(mesh.tailscaled_config(member, joined))
        self.write(mesh.CONFIG, json.dumps({**told, "authKey": f"file:{self._at(mesh.KEY)}"}))
        self.write(mesh.KEY, "")

    def write(self, path: str, text: str) -> None:
        """A file of the machine's."""
        self._at(path).parent.mkdir(parents=True, exist_ok=True)
        self._at(path).write_text(text)

    def read(self, path: str) -> str:
        return self._at(path).read_text()

    def run(self, line: str) -> str:
        """The two commands by which a machine joins."""
        if line.startswith("systemctl restart"):
            self._end()
            self._start()
            return ""
        assert line.startswith(f"{mesh.CLI} status"), line
        asked = [str(command("tailscale")), f"--socket={self._socket}", "status", "--json"]
        return str(subprocess.run(asked, capture_output=True, text=True).stdout)

    def stop(self) -> None:
        """It, and its network card."""
        self._end()
        subprocess.run(["ip", "link", "delete", "eth7"], check=True)

    def _end(self) -> None:
        if self.process:
            self.process.stop()

    def _start(self) -> None:
        options = (f"--config={self._at(mesh.CONFIG)}", f"--statedir={self.folder}/state", f"--socket={self._socket}",
                   "--tun=userspace-networking", "--port=0")  # fmt: skip
        trusted = {**os.environ, "SSL_CERT_FILE": str(self._at(mesh.AUTHORITY)), "TS_NO_LOGS_NO_SUPPORT": "true",
                   "TS_LOGS_DIR": str(self.folder)}  # fmt: skip
        self.process = Process([command("tailscaled"), *options], self.folder / "log", trusted)

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"

    def _at(self, path: str) -> Path:
        return self.folder / path.strip("/").replace("/", "-")
