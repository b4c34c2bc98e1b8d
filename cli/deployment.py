"""`pulumi up` or `destroy` of one stack, followed: progress on one line, what it complains of as the message."""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cli.errors import CommandFailed, make
from cli.project import Project
from homespun import places
from stacks import progress
from stacks.settings import BASE
from tools import screen

OBJECT: Final = re.compile(
    r" kubernetes:\S+/v\w+:(?!ConfigGroup )(\w+) (\S+) (creating|created|updating|updated|deleting|deleted)\b"
)
"""A line of the engine's on an object of a cluster, no group: kind, resource's name, what goes on or was done."""
RAISED: Final = "Exception calling application: "
"""What gRPC puts before the words of an exception in a provider."""
DONE: Final = ("created", "updated", "deleted")


@dataclass(frozen=True)
class Deployed:
    """The seconds of each stage that had something to do, and how many objects of the cluster changed."""

    seconds: dict[str, float]
    objects: int


def run(project: Project, command: Literal["up", "destroy"]) -> Deployed:
    """Bring the stack up, or take it away. Raises CommandFailed with what the engine complains of."""
    log = places.state() / f"log/{project.stack}.log"
    progress.clear()
    seconds: dict[str, float] = {}
    told = read = 0
    process = project.start(command, log)
    while True:
        over = process.poll() is not None
        events, told = progress.read(told)
        for event in events:
            if event.seconds is None:
                screen.line(f"{event.stage}  {event.what}")
            else:
                seconds[event.stage] = max(event.seconds, seconds.get(event.stage, 0.0))  # of machines side by side
        read = _show(log, read)
        if over:
            break
        time.sleep(0.1)
    text = log.read_text()
    if process.returncode:
        again = make("up" if command == "up" else "down", project.stack.removesuffix(BASE))
        raise CommandFailed(f"{diagnostics(text)}\n(all of it: {log}; `{again}` goes on from here)")
    return Deployed(seconds, changed(text))


def changed(log: str) -> int:
    """How many objects of a cluster a run made, changed or took away."""
    return len({(match[1], match[2]) for match in OBJECT.finditer(log) if match[3] in DONE})


def diagnostics(log: str) -> str:
    """What `pulumi up` complains of, out of all that it prints."""
    _, found, tail = log.partition("\nDiagnostics:\n")
    text = re.split(r"\n(?:Outputs|Resources):\n", tail)[0] if found else "\n".join(log.splitlines()[-15:])
    lines = (line.strip().replace(RAISED, "") for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _show(log: Path, position: int) -> int:
    """Say what the engine last began on a cluster's objects; the position after what was read."""
    with log.open("rb") as file:
        file.seek(position)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    for match in OBJECT.finditer(whole.decode(errors="replace")):
        if match[3] not in DONE:
            screen.line(f"platform  {match[1]} {match[2].partition(':')[2]}")
    return position + len(whole)
