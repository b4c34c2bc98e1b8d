"""kubectl on one cluster."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import CommandFailed
from homespun import places
from stacks import settings
from tools.obtain import obtain
from tools.table import named


def kubeconfig(stack: str) -> Path:
    """The kubeconfig of an environment's cluster: the one that is given, or where `up` puts the base stack's."""
    return settings.platform(stack).kubeconfig or places.state() / f"kubeconfigs/{stack}"


@dataclass(frozen=True)
class Kubectl:
    """The command, with a kubeconfig."""

    kubeconfig: Path

    def run(self, *arguments: str, input: str | None = None) -> str:
        """What it prints. Raises CommandFailed with what it complains of."""
        ran = subprocess.run(self.command(*arguments), input=input, capture_output=True, text=True)
        if ran.returncode:
            raise CommandFailed(f"kubectl {' '.join(arguments[:4])} failed:\n{ran.stderr.strip()}")
        return ran.stdout

    def answer(self, *arguments: str) -> str:
        """What it prints on a question that it may answer by failing, such as `auth can-i`."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True).stdout.strip()

    def feed(self, *arguments: str, chunks: Iterable[bytes]) -> None:
        """Run it with these bytes as its input. How it ends is not looked at: the pod's log says what came of it."""
        with subprocess.Popen(
            self.command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdin is not None
            try:
                for chunk in chunks:
                    process.stdin.write(chunk)
                process.stdin.close()
            except BrokenPipeError:
                pass

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object as the API server has it; {} if there is none."""
        text = self.run("get", "--ignore-not-found", "-o", "json", *arguments)
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        kubectl = obtain(named("kubectl"), lambda what, percent: None)
        return [str(kubectl), f"--kubeconfig={self.kubeconfig}", *arguments]
