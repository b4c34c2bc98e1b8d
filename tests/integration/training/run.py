"""A training job with real workers, as a process; and its end by force."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.integration.parts.process import Process
from workloads.training import config
from workloads.training.config import Job, Progress
from workloads.training.progress import curve

PYTHON: Final = (sys.executable, "-m", "workloads.training")
ENVIRONMENT: Final = os.environ | {
    "OMP_NUM_THREADS": "1",
    "GLOO_SOCKET_IFNAME": "lo",  # gloo would ask for the address of the machine's name
    "PYTHONPATH": str(Path(__file__).parents[3]),
}


class Run:
    """One job in a folder of its own."""

    def __init__(self, job: Job, folder: Path, checkpoints: Path | None = None) -> None:
        """`checkpoints` is where another worker of the same run has them."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.job = replace(job, checkpoints=replace(job.checkpoints, folder=str(checkpoints or folder)))
        (folder / "job.json").write_text(config.render(self.job))

    def start(self, workers: int, restarts: int = 0) -> Process:
        """On one machine."""
        return self._launch("log", "--standalone", "--nproc-per-node", str(workers), "--max-restarts", str(restarts))

    def start_machine(self, number: int, port: int) -> Process:
        """One of two machines with a worker each; the first one's launch is where they meet."""
        meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", self.job.name]
        conf = f"is_host={int(number == 0)},keep_alive_interval=1,keep_alive_max_attempt=3,last_call_timeout=1"
        host = ["--rdzv-conf", conf, "--local-addr", "127.0.0.1"]
        return self._launch(f"log-{number}", "--nnodes", "2", "--max-restarts", "3", *meet, *host)

    def start_worker(self, rank: int, workers: int, port: int) -> Process:
        """One of them alone, as torchrun would."""
        meet = {"RANK": rank, "WORLD_SIZE": workers, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environment = ENVIRONMENT | {name: str(value) for name, value in meet.items()}
        command = [*PYTHON, "train", "--job", str(self.folder / "job.json")]
        return Process(command, self.folder / f"log-{rank}", environment)

    def _launch(self, log: str, *options: str) -> Process:
        command = [*PYTHON, "launch", *options, "--job", str(self.folder / "job.json")]
        return Process(command, self.folder / log, ENVIRONMENT)

    def finish(self, workers: int, deadline: float = 60) -> None:
        """Run to the last step."""
        process = self.start(workers)
        assert process.wait(deadline) == 0, process.tail()

    def kill_after(self, step: int, workers: int) -> None:
        """Run, and lose the machine once there is a checkpoint of `step` or later."""
        process = self.start(workers)
        process.until(f"checkpoint {step}", lambda: (found := self.progress().checkpoint) and found.step >= step)
        lose(process)

    def progress(self) -> Progress:
        file = self.folder / config.PROGRESS_FILE
        return config.parse_progress(file.read_text()) if file.exists() else Progress(config.State.STARTING)

    def steps(self) -> int:
        """How many are done."""
        return len(curve(self.folder / config.CURVE_FILE))

    def losses(self) -> list[float]:
        """Of all steps from the first on, each there once."""
        points = curve(self.folder / config.CURVE_FILE)
        assert [step for step, _ in points] == list(range(1, len(points) + 1))
        return [loss for _, loss in points]

    def checkpoint(self, step: int) -> Path:
        return self.folder / config.CHECKPOINTS_FOLDER / f"step-{step:08}"


def lose(machine: Process) -> None:
    """What happens to a launch and its workers when their machine loses power."""
    for pid in [machine.pid, *children(machine.pid)]:
        os.kill(pid, signal.SIGKILL)
    machine.wait(10)


def children(pid: int) -> list[int]:
    """The workers of a launch."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
