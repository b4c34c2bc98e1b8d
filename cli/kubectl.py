"""kubectl on one cluster."""

import functools
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from cli.errors import CommandFailed, not_up
from homespun import places
from homespun.api import inference, training, vectors
from homespun.api.fields import GROUP
from stacks.settings import GivenPlatform, PlatformSettings
from tools.obtain import obtain
from tools.screen import Percent
from tools.table import named

INFERENCE_MODELS: Final = f"{inference.PLURAL}.{GROUP}"
VECTOR_COLLECTIONS: Final = f"{vectors.PLURAL}.{GROUP}"
TRAINING_JOBS: Final = f"{training.PLURAL}.{GROUP}"
"""The kinds by their whole names: a short one may be another's."""
PATIENCE: Final = "--request-timeout=30s"
"""For an API server that takes a connection and says nothing."""


def cluster(stack: str, found: PlatformSettings) -> "Kubectl":
    """kubectl on an environment's cluster: the one that is given, or the base stack's.

    Raises CommandFailed where that was never brought up.
    """
    if isinstance(found, GivenPlatform):
        return Kubectl(found.kubeconfig, found.context)
    if not kubeconfig(stack).exists():
        raise not_up(stack)
    return Kubectl(kubeconfig(stack))


def kubeconfig(stack: str) -> Path:
    """Where `up` puts the kubeconfig of the base stack's cluster."""
    return places.kubeconfigs() / stack


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)


@dataclass(frozen=True)
class Kubectl:
    """The command, with a kubeconfig and its context ('': the one that it selects)."""

    kubeconfig: Path
    context: str = ""

    def run(self, *arguments: str, input: str | None = None) -> str:
        """What it prints. Raises CommandFailed with what it complains of."""
        ran = self._ran(*arguments, input=input)
        if ran.returncode:
            raise CommandFailed(f"kubectl {' '.join(arguments[:4])} failed:\n{ran.stderr.strip()}")
        return ran.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object as the API server has it; {} if there is none, or no such kind."""
        ran = self._ran("get", "--ignore-not-found", "-o", "json", PATIENCE, *arguments)
        if ran.returncode and "doesn't have a resource type" not in ran.stderr:
            raise CommandFailed(f"kubectl get {' '.join(arguments)} failed:\n{ran.stderr.strip()}")
        found: dict[str, Any] = json.loads(ran.stdout) if ran.stdout.strip() else {}
        return found

    def may(self, verb: str, kind: str) -> bool:
        """Whether all of a kind may be treated so, in all namespaces."""
        return self._ran("auth", "can-i", verb, kind, "--all-namespaces", PATIENCE).stdout.strip() == "yes"

    @contextmanager
    def feed(self, *arguments: str) -> Iterator[IO[bytes]]:
        """Run it with what is written into the file; its end is waited for. Raises CommandFailed."""
        with subprocess.Popen(
            self.command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            try:
                yield process.stdin
                process.stdin.close()
            except BrokenPipeError:
                pass  # what it says, and who it spoke to, tell more
            said = process.stderr.read().decode(errors="replace").strip()
        if process.returncode:
            raise CommandFailed(f"kubectl {' '.join(arguments[:4])} failed:\n{said}")

    @contextmanager
    def stream(self, *arguments: str) -> Iterator[IO[bytes]]:
        """Run it and read what it prints from the file; its end is waited for. Raises CommandFailed."""
        with subprocess.Popen(
            self.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            failure = None
            try:
                yield process.stdout
            except Exception as error:
                failure = error
            process.stdout.close()
            said = process.stderr.read().decode(errors="replace").strip()
        if process.returncode and said:  # of which the reader's failure comes
            raise CommandFailed(f"kubectl {' '.join(arguments[:4])} failed:\n{said}") from failure
        if failure:
            raise failure

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        context = [f"--context={self.context}"] if self.context else []
        return [_kubectl(), f"--kubeconfig={self.kubeconfig}", *context, *arguments]

    def _ran(self, *arguments: str, input: str | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(self.command(*arguments), input=input, capture_output=True, text=True)


@functools.cache
def _kubectl() -> str:
    return str(obtain(named("kubectl"), Percent("kubectl").show))
