"""The real Milvus as a process. Its ports are fixed: one in a network namespace."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.integration.parts.process import Process
from tests.waiting import answers
from tools.environments import environment
from workloads.vectors.engine import HEALTH_PORT, PORT

ROOT: Final = Path(__file__).parents[3]
ADDRESS: Final = f"http://127.0.0.1:{PORT}"


@dataclass
class Milvus:
    """The server, with its data in a folder that outlives it."""

    folder: Path
    process: Process = field(init=False)

    def start(self) -> None:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOMESPUN_CACHE")}
        self.process = Process(
            [environment("milvus") / "bin/python", "-m", "workloads.vectors.engine", "--data", self.folder / "data"],
            self.folder / "milvus.log",
            {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.folder)},
        )
        self.process.until("/healthz", self.healthy)

    def healthy(self) -> bool:
        return answers(f"http://127.0.0.1:{HEALTH_PORT}/healthz")

    def kill(self) -> None:
        """SIGKILL: it ignores SIGTERM for all of its grace."""
        self.process.kill()
