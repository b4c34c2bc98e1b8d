"""The lines that could not be taken: a file beside the ledger, made anew by each run."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from workloads.vectors.ingest.records import Quarantined

FILE: Final = "quarantine.jsonl"
DRAFT: Final = f"{FILE}.new"


def begin(folder: Path) -> None:
    """Forget what a run that was killed has left."""
    (folder / DRAFT).unlink(missing_ok=True)


def add(folder: Path, bad: Iterable[Quarantined]) -> None:
    """Append; several workers do at once, so each line is one write."""
    with (folder / DRAFT).open("ab", buffering=0) as file:
        for entry in bad:
            file.write(entry.render().encode())


def finish(folder: Path) -> None:
    """What this run has found takes the place of what the last one had."""
    (folder / DRAFT).touch()
    os.replace(folder / DRAFT, folder / FILE)
