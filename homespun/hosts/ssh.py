"""Commands on a machine over SSH, with the host keys pinned in a file of our own."""

import subprocess
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from homespun.hosts.errors import CommandError, UnreachableError

SSH_FAILED: Final = 255
"""ssh's own exit code, as against the command's (ssh(1))."""


@dataclass(frozen=True)
class Connection:
    """How a machine is reached. `known_hosts` holds its key; one that is not there is refused, never learnt."""

    address: str
    user: str
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
        """What `command`, a shell command line, prints. Raises UnreachableError or CommandError.

        What must not be seen in the machine's process list goes by `input`.
        """
        return self._run(command, timeout, input=input or "")

    def send(self, file: BinaryIO, command: str, timeout: float = 600) -> None:
        """Run `command` with a file's bytes as its input. Raises UnreachableError or CommandError."""
        self._run(command, timeout, stdin=file)

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

    def _run(self, command: str, timeout: float, **given: Any) -> str:
        try:
            ran: subprocess.CompletedProcess[str] = subprocess.run(
                [*self.command(), command], capture_output=True, text=True, timeout=timeout, **given
            )
        except subprocess.TimeoutExpired:
            raise CommandError(f"{self.address}: `{command}` took more than {timeout:.0f} s") from None
        if ran.returncode == SSH_FAILED:
            raise UnreachableError(f"{self.user}@{self.address}: {_last_lines(ran.stderr)}")
        if ran.returncode:
            raise CommandError(
                f"{self.address}: `{command}` failed ({ran.returncode}):\n{_last_lines(ran.stdout + ran.stderr)}"
            )
        return ran.stdout


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])
