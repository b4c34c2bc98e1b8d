"""A part as a process: started with a log of its own, awaited by a condition, ended by its own id."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class Process:
    """A running program. `log` holds what it prints; its end kills its whole process group."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        log: Path,
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.log = log
        self._arguments = [str(argument) for argument in arguments]
        with log.open("ab") as out:
            self._popen = subprocess.Popen(
                self._arguments,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=folder,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def running(self) -> bool:
        return self._popen.poll() is None

    def stop(self, grace: float = 10) -> None:
        """SIGTERM, and SIGKILL to its group after `grace` seconds."""
        if not self.running():
            return
        self._popen.terminate()
        try:
            self._popen.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to it and to all that it started."""
        if self.running():
            os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait(10)

    def until(self, what: str, condition: Callable[[], object], deadline: float = 60) -> None:
        """Wait for `condition`; fail with the end of the log if the process ends or the deadline passes."""
        end = time.monotonic() + deadline
        while not condition():
            if not self.running():
                raise AssertionError(f"{self._arguments[0]} ended before {what}:\n{self.tail()}")
            if time.monotonic() > end:
                raise AssertionError(f"{self._arguments[0]}: no {what} within {deadline:.0f} s:\n{self.tail()}")
            time.sleep(0.05)

    def wait(self, deadline: float = 60) -> int:
        """Its exit code, once it has ended by itself; fails with the end of its log at the deadline."""
        try:
            return self._popen.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self._arguments[0]}: still running after {deadline:.0f} s:\n{self.tail()}"
            ) from None

    def tail(self, lines: int = 25) -> str:
        """The end of its log; of a Go program that crashed, why it did so before that."""
        logged = self.log.read_text(errors="replace").splitlines()
        crash = [line for line in logged if line.startswith(("panic:", "fatal error:", "SIG"))]
        return "\n".join([*crash, *logged[-lines:]])
