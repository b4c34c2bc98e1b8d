"""What is told of a run is true after a restart too."""

import io
from pathlib import Path

from workloads.training.config import Checkpoint, Progress, State, parse_progress
from workloads.training.progress import Report, bar, curve

STARTING = Progress(State.STARTING, steps=10)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_of_progress_is_written_and_left_in_the_folder(tmp_path: Path) -> None:
    out = io.StringIO()
    Report(tmp_path, STARTING, out).start(None, ())
    (line,) = out.getvalue().splitlines()
    assert parse_progress(line).state is State.TRAINING
    assert (tmp_path / "progress.json").read_text() == line + "\n"


def test_a_terminal_gets_a_bar_that_stays_on_its_line(tmp_path: Path) -> None:
    out = Terminal()
    report = Report(tmp_path, STARTING, out)
    report.start(None, ())
    report.tell(report.progress)
    assert "step 0/10" in out.getvalue()
    assert "\n" not in out.getvalue()


def test_the_bar_says_what_one_wants_to_know() -> None:
    half = Progress(State.TRAINING, 5, 10, 4.25, 12345.6, 3723.0, Checkpoint(4, "sha256:…"))
    assert bar(half, 8) == "━━━━╌╌╌╌ step 5/10  loss 4.2500  12,346 tokens/s  1:02:03 left  checkpoint 4"


def test_a_run_that_was_started_again_is_counted(tmp_path: Path) -> None:
    for recoveries in range(3):
        report = Report(tmp_path, STARTING, io.StringIO())
        report.start(None, ())
        assert report.progress.recoveries == recoveries


def test_a_finished_run_that_is_looked_at_again_is_no_recovery(tmp_path: Path) -> None:
    Report(tmp_path, STARTING, io.StringIO()).tell(Progress(State.FINISHED))
    assert Report(tmp_path, STARTING, io.StringIO()).progress.recoveries == 0


def test_the_curve_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    report = Report(tmp_path, STARTING, io.StringIO())
    report.start(None, ())
    for step in range(1, 8):
        report.step(step, 5.0 - step / 10, tokens=64)
    with (tmp_path / "curve.jsonl").open("a") as torn:
        torn.write('{"step": 8, "lo')
    report = Report(tmp_path, STARTING, io.StringIO())
    report.start(Checkpoint(4, "sha256:…"), ())
    assert (report.progress.step, report.progress.loss) == (4, 4.6)
    report.step(5, 1.5, tokens=64)
    assert curve(tmp_path / "curve.jsonl") == [(1, 4.9), (2, 4.8), (3, 4.7), (4, 4.6), (5, 1.5)]


def test_the_remaining_time_is_that_of_the_last_steps(tmp_path: Path) -> None:
    report = Report(tmp_path, STARTING, io.StringIO())
    report.start(None, ())
    report.step(1, 5.0, tokens=64)
    told = report.progress
    assert told.remaining_seconds is not None
    assert told.tokens_per_second > 0
