"""Commands on a machine over SSH, with the host keys pinned in a file of our own."""

import contextlib
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any, Final

from homespun.hosts.errors import CommandError, HostError, OffError, UnreachableError

ROOT: Final = "root"
KEY_TYPE: Final = "ed25519"
SCAN_SECONDS: Final = 10
SSH_FAILED: Final = 255
"""ssh's own exit code, as against the command's (ssh(1))."""
NO_CONNECTION: Final = "ssh: connect to host"
"""With which it begins to say why nothing answers; what answers otherwise than it ought to, it says in other words."""


@dataclass(frozen=True)
class Connection:
    """How a machine is reached. `known_hosts` holds its key; one that is not there is refused, never learnt."""

    address: str
    user: str
    """Root, or who may become root by `sudo` without a password: all commands are root's."""
    identity: str
    """Path of the private key."""
    known_hosts: str
    port: int = 22

    def options(self) -> list[str]:
        """For ssh, and for Ansible's ssh_args. The user's own configuration is not read."""
        pairs = {
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "IdentitiesOnly": "yes",
            "IdentityFile": self.identity,
            "ServerAliveInterval": "15",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": self.known_hosts,
        }
        return ["-F", "none", *(word for name, value in pairs.items() for word in ("-o", f"{name}={value}"))]

    def command(self, *extra: str) -> list[str]:
        """The ssh command line, up to the destination."""
        return ["ssh", *self.options(), "-p", str(self.port), *extra, f"{self.user}@{self.address}"]

    def run(self, command: str, input: str | None = None, timeout: float = 60) -> str:
        """What `command`, a shell command line, prints. Raises UnreachableError, OffError of them, or CommandError.

        What must not be seen in the machine's process list goes by `input`.
        """
        return self._run(command, timeout, input=input or "")

    def send(self, write: Callable[[IO[bytes]], object], command: str, timeout: float = 600) -> None:
        """Run `command` with what `write` writes as its input. Raises UnreachableError or CommandError."""
        out, into = os.pipe()
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(_written, into, write)
            try:
                with open(out, "rb") as reader:
                    self._run(command, timeout, stdin=reader)
            finally:
                writing.result()  # where it failed, that is why the command did

    def write(self, path: str, content: str) -> None:
        """Have a text in a file that the user alone may read. Raises UnreachableError or CommandError."""
        folder = shlex.quote(path.rpartition("/")[0])
        self.run(f"umask 077 && mkdir -p {folder} && cat > {shlex.quote(path)}", input=content)

    def answers(self) -> bool:
        """Whether it answers now: not where it is off, nor where it is so far gone that a command does not end."""
        try:
            self.wait(0)
        except HostError:
            return False
        return True

    def wait(self, deadline: float) -> None:
        """Until it answers; raises UnreachableError with its last refusal after `deadline` seconds."""
        end = time.monotonic() + deadline
        while True:
            try:
                self.run("true", timeout=10)
                return
            except (UnreachableError, CommandError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def _as_root(self, command: str) -> str:
        return command if self.user == ROOT else f"sudo -n sh -c {shlex.quote(command)}"

    def _run(self, command: str, timeout: float, **given: Any) -> str:
        try:
            ran: subprocess.CompletedProcess[str] = subprocess.run(
                [*self.command(), self._as_root(command)], capture_output=True, text=True, timeout=timeout, **given
            )
        except subprocess.TimeoutExpired:
            raise CommandError(f"{self.address}: `{command}` took more than {timeout:.0f} s") from None
        if ran.returncode == SSH_FAILED:
            kind = OffError if NO_CONNECTION in ran.stderr else UnreachableError
            raise kind(f"{self.user}@{self.address}: {_last_lines(ran.stderr)}")
        if ran.returncode:
            raise CommandError(
                f"{self.address}: `{command}` failed ({ran.returncode}):\n{_last_lines(ran.stdout + ran.stderr)}"
            )
        return ran.stdout


def host_key(address: str, port: int) -> str:
    """The host key that a machine shows whoever asks: type and key, as in known_hosts; '' where none is shown."""
    command = ["ssh-keyscan", "-T", str(SCAN_SECONDS), "-t", KEY_TYPE, "-p", str(port), address]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return next((line.split(maxsplit=1)[1] for line in lines if not line.startswith("#")), "")


def known_host(address: str, port: int, key: str) -> str:
    """A line of known_hosts (sshd(8))."""
    return f"{address if port == 22 else f'[{address}]:{port}'} {key}\n"


def _written(descriptor: int, write: Callable[[IO[bytes]], object]) -> None:
    # A command that ends before it has read all has said why, or needs no more.
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb") as writer:
        write(writer)


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])
