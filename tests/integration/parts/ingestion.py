"""The job that fills a collection, as a process from its own environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.integration.parts.process import Process
from tools.environments import environment
from workloads.vectors.ingest.ledger import Ledger
from workloads.vectors.ingestion import Ingestion, Report, parse_report, render

ROOT: Final = Path(__file__).parents[3]
DEADLINE: Final = 120.0


@dataclass(frozen=True)
class Ingest:
    """One collection's job, in a folder that holds its claims."""

    folder: Path
    ingestion: Ingestion
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of its environment: what comes from Secrets."""

    @property
    def claims(self) -> Path:
        return self.folder / "claims"

    @property
    def state(self) -> Path:
        return self.claims / self.ingestion.state.removeprefix("pvc://")

    def write(self, *records: Any, name: str = "records.jsonl") -> None:
        """A file of the source; a string stands as it is."""
        target = self.claims / self.ingestion.source.removeprefix("pvc://")
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
        (target.parent / name).write_text("".join(f"{line}\n" for line in lines))

    def start(self) -> Process:
        (self.folder / "ingestion.json").write_text(render(self.ingestion))
        kept = {name: os.environ[name] for name in ("PATH", "HOMESPUN_CACHE", "JAVA_HOME") if name in os.environ}
        own = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.folder)}
        return Process(
            [environment("spark") / "bin/python", "-m", "workloads.vectors.ingest", "--claims", self.claims,
             "--ingestion", self.folder / "ingestion.json", "--report", self.folder / "termination-log",
             "--master", "local[2]"],
            self.folder / "ingest.log",
            {**kept, **own, **self.variables},
        )  # fmt: skip

    def run(self, code: int = 0) -> Report:
        """What it reports once it has ended, with this code."""
        return self.ended(self.start(), code)

    def ended(self, process: Process, code: int = 0) -> Report:
        found = process.wait(DEADLINE)
        assert found == code, process.tail()
        return parse_report((self.folder / "termination-log").read_text())

    def delivered(self) -> int:
        """How many vectors it has noted so far."""
        if not self.state.exists():
            return 0
        ledger = Ledger(self.state)
        try:
            return ledger.count()
        finally:
            ledger.close()

    def quarantine(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.state / "quarantine.jsonl").read_text().splitlines()]
