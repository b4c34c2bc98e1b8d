"""How far an `up` is: lines in a log, written by the resources as they work, read by who waits for them.

The resources live in a process of the engine's, whose output is the engine's; so they tell by a file.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from homespun import places


@dataclass(frozen=True)
class Event:
    """Something that a stage (machine, rent, host, mesh, cluster, nodes) began, or its end, then with its seconds."""

    stage: str
    what: str
    seconds: float | None = None


def log() -> Path:
    """The log of the last `up`."""
    return places.state() / "log/progress.jsonl"


def clear() -> None:
    """Begin a new log."""
    log().parent.mkdir(parents=True, exist_ok=True)
    log().write_text("")


def tell(stage: str, what: str) -> None:
    """Say what begins now."""
    _append(Event(stage, what))


@contextlib.contextmanager
def stage(name: str, what: str) -> Iterator[None]:
    """Say that a stage begins, and how long it took once it has ended well."""
    started = time.monotonic()
    tell(name, what)
    yield
    _append(Event(name, "done", round(time.monotonic() - started, 1)))


def read(position: int) -> tuple[list[Event], int]:
    """Events after `position` of the log, and the position after them."""
    with log().open() as file:
        file.seek(position)
        text = file.read()
    whole = text[: text.rfind("\n") + 1]
    return [Event(**json.loads(line)) for line in whole.splitlines()], position + len(whole.encode())


def _append(event: Event) -> None:
    log().parent.mkdir(parents=True, exist_ok=True)
    with log().open("a") as file:
        file.write(json.dumps(asdict(event)) + "\n")
