"""`python -m workloads.training curve FOLDER`: the loss curve of a job's folder as a PNG."""

import argparse
import sys
from pathlib import Path

from matplotlib.figure import Figure

from workloads.training.config import CURVE_FILE
from workloads.training.progress import curve


def main(arguments: list[str]) -> int:
    """Draw FOLDER/curve.png, or the file named."""
    parser = argparse.ArgumentParser(prog="python -m workloads.training curve", description=__doc__)
    parser.add_argument("folder", type=Path, help="the job's")
    parser.add_argument("--out", type=Path, help="the PNG (default FOLDER/curve.png)")
    asked = parser.parse_args(arguments)
    file: Path = asked.folder / CURVE_FILE
    if not (points := curve(file)):
        print(f"{file}: expected the steps of a training run, found none", file=sys.stderr)
        return 1
    out: Path = asked.out or asked.folder / "curve.png"
    draw(points, asked.folder.resolve().name, out)
    print(out)
    return 0


def draw(points: list[tuple[int, float]], title: str, out: Path) -> None:
    """Loss by step, with the mean of the last twentieth of the run where there are steps enough for one."""
    steps, losses = [step for step, _ in points], [loss for _, loss in points]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    window = len(points) // 20
    axes.plot(steps, losses, linewidth=1, alpha=0.4 if window > 1 else 1, label="each step")
    if window > 1:
        means = [sum(losses[at - window : at]) / window for at in range(window, len(losses) + 1)]
        axes.plot(steps[window - 1 :], means, linewidth=2, color="C0", label=f"mean of {window} steps")
        axes.legend()
    axes.set(title=title, xlabel="step", ylabel="loss, nats a token")
    axes.grid(alpha=0.3)
    figure.savefig(out, format="png", dpi=120)
