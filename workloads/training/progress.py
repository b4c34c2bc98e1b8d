"""Telling how far a run is: lines of JSON or a bar on a terminal, progress.json and curve.jsonl in the job's folder."""

import json
import os
import sys
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Final, TextIO

from workloads.edge.document import ConfigError
from workloads.training.config import (
    CURVE_FILE,
    PROGRESS_FILE,
    Checkpoint,
    Progress,
    State,
    parse_progress,
    render_progress,
)

EVERY_SECONDS: Final = 1.0
"""Between two lines, if nothing but the step has changed."""
STEPS_MEASURED: Final = 20
"""Over which the speed is taken."""


class Report:
    """What the first worker tells. `progress` is the last state, told or not."""

    def __init__(self, folder: Path, progress: Progress, out: TextIO = sys.stdout) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._out = folder, out
        before = _last(folder / PROGRESS_FILE)
        begun = before is not None and before.state is State.TRAINING
        recoveries = (before.recoveries if before else 0) + begun
        self.progress = replace(progress, recoveries=recoveries)
        self._ends: deque[float] = deque(maxlen=STEPS_MEASURED + 1)
        self._told = 0.0

    def start(self, checkpoint: Checkpoint | None, rejected: tuple[str, ...], message: str = "") -> None:
        """Training goes on from a checkpoint, or from nothing; the curve as well. `message` stays with the run."""
        step = checkpoint.step if checkpoint else 0
        points = _cut(self._folder / CURVE_FILE, step)
        self._curve = (self._folder / CURVE_FILE).open("a")
        self._ends.append(time.monotonic())
        self.tell(
            replace(
                self.progress,
                state=State.TRAINING,
                step=step,
                loss=points[-1][1] if points else None,
                checkpoint=checkpoint,
                rejected=rejected,
                message=message,
            )
        )

    def step(self, step: int, loss: float, tokens: int) -> None:
        """One more step is done, of so many tokens."""
        self._curve.write(json.dumps({"step": step, "loss": loss}) + "\n")
        self._curve.flush()
        self._ends.append(time.monotonic())
        each = (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
        self.progress = replace(
            self.progress,
            step=step,
            loss=loss,
            tokens_per_second=round(tokens / each, 1),
            remaining_seconds=round((self.progress.steps - step) * each, 1),
        )
        if time.monotonic() - self._told > EVERY_SECONDS:
            self.tell(self.progress)

    def keep(self) -> None:
        """Have the curve so far on disk, before the checkpoint that it will be gone on from."""
        os.fsync(self._curve.fileno())

    def tell(self, progress: Progress) -> None:
        """Say it, and leave it in the folder."""
        self.progress, self._told = progress, time.monotonic()
        landing = self._folder / f".{PROGRESS_FILE}.{os.environ.get('RANK', '0')}-{os.getpid()}.part"
        landing.write_text(render_progress(progress) + "\n")
        landing.rename(self._folder / PROGRESS_FILE)
        if self._out.isatty():
            self._out.write(f"\r\x1b[K{bar(progress)}" + ("" if progress.state is State.TRAINING else "\n"))
        else:
            self._out.write(render_progress(progress) + "\n")
        self._out.flush()


def bar(progress: Progress, width: int = 24) -> str:
    """One line for people."""
    if progress.state is State.INVALID:
        return f"{progress.state}: {progress.message}"
    done = width * progress.step // max(1, progress.steps)
    parts = [f"{'━' * done}{'╌' * (width - done)} step {progress.step}/{progress.steps}"]
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.4f}")
    if progress.tokens_per_second:
        parts.append(f"{progress.tokens_per_second:,.0f} tokens/s")
    if progress.remaining_seconds:
        minutes, seconds = divmod(int(progress.remaining_seconds), 60)
        parts.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")
    if progress.checkpoint:
        parts.append(f"checkpoint {progress.checkpoint.step}")
    return "  ".join(parts)


def curve(file: Path) -> list[tuple[int, float]]:
    """(step, loss) of each step in a curve.jsonl; a last line that was cut off by a kill is left out."""
    points = []
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            point = json.loads(line)
            points.append((int(point["step"]), float(point["loss"])))
        except (ValueError, KeyError, TypeError):
            break
    return points


def _cut(file: Path, step: int) -> list[tuple[int, float]]:
    """Leave the steps up to `step`, and return them: those after it are done again."""
    kept = [(at, loss) for at, loss in curve(file) if at <= step]
    landing = file.with_name(f".{file.name}.part")
    with landing.open("w") as out:
        out.writelines(json.dumps({"step": at, "loss": loss}) + "\n" for at, loss in kept)
        out.flush()
        os.fsync(out.fileno())
    landing.rename(file)
    return kept


def _last(file: Path) -> Progress | None:
    try:
        return parse_progress(file.read_text())
    except (OSError, ConfigError):
        return None
