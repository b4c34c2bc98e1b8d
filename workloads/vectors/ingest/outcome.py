"""What a run has come to, and how it says on standard output where it is."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from workloads.vectors.ingest.delivery import Delivered


@dataclass(frozen=True)
class Outcome:
    """The counts of a run."""

    read: int
    bad: int
    duplicates: int
    delivered: Delivered


@dataclass
class Stages:
    """The seconds that each stage took; each begins with a line of progress that holds what is known by then."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, **counts: int) -> Iterator[None]:
        """A stage of the work."""
        say(name, **counts)
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 2)


def say(stage: str, **counts: int | str) -> None:
    """A line of progress."""
    print(json.dumps({"time": round(time.time(), 1), "stage": stage, **counts}), flush=True)
