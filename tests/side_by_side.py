"""`python -m tests.side_by_side TRAINING_PYTEST`: the integration tests, two groups at a time.

Each group runs in a network and a process namespace of its own: nothing of it leaves, nothing is left behind, and
programs with fixed ports (Milvus) don't meet. A group's output is printed when it has ended, and what failed in any of
them once more at the end. Most of them wait more than they compute, so that two on two cores take little longer than
one.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ISOLATED: Final = ("unshare", "--net", "--mount-proc", "--pid", "--fork", "--kill-child")
FOLDER: Final = Path(__file__).parent / "integration"
GROUPS: Final = (  # the longest first
    ("inference", "tools"),
    ("operators", "api", "test_control_plane.py"),
    ("ingest", "vectors", "clients", "ingress"),
)
AT_ONCE: Final = 2
FAILURES: Final = ("FAILED ", "ERROR ")
"""How the lines of pytest's summary begin that name what failed, and why."""


def main(training_pytest: str) -> int:
    paths = {path.name for path in FOLDER.iterdir() if path.name.startswith("test_") or (path / "__init__.py").exists()}
    known = {"training", "parts", *(name for group in GROUPS for name in group)}
    if forgotten := paths - known:
        print(f"tests/side_by_side.py: expected a group for {', '.join(sorted(forgotten))}, found none")
        return 1
    pytest = Path(sys.executable).parent / "pytest"
    commands = {" ".join(group): [*ISOLATED, str(pytest), *(str(FOLDER / name) for name in group)] for group in GROUPS}
    # torch is in an environment of its own, which lacks what the other tests' conftest imports.
    training = f"ip link set lo up && exec {training_pytest} --confcutdir {FOLDER}/training {FOLDER}/training"
    commands["training"] = [*ISOLATED, "bash", "-c", training]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [line for lines in pool.map(_run, commands, commands.values()) for line in lines]
    print("\n".join(["integration: what failed", *failed] if failed else ["integration: all passed"]))
    return int(bool(failed))


def _run(name: str, command: list[str]) -> list[str]:
    """What failed, a line each."""
    print(f"integration {name}: begun", flush=True)
    started = time.monotonic()
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    took = time.monotonic() - started
    print(f"{ran.stdout}\nintegration {name}: {'passed' if not ran.returncode else 'FAILED'}, {took:.0f} s", flush=True)
    failed = [line for line in ran.stdout.splitlines() if line.startswith(FAILURES)]
    return failed or ([f"{name}: exit status {ran.returncode}"] if ran.returncode else [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
