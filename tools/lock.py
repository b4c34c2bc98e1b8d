"""`python3 -m tools.lock`: write requirements/*.txt anew from pyproject.toml, hashed, without registry hosts."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tools.environments import INTERPRETER, REQUIREMENTS, STACKED, WITHOUT_DEPENDENCIES, uv


def names(lock: Path) -> list[str]:
    """The packages that a lock file pins."""
    return [line.partition("==")[0] for line in lock.read_text().splitlines() if line[:1].isalnum()]


def main() -> int:
    project = REQUIREMENTS.parent / "pyproject.toml"
    for extra in tomllib.loads(project.read_text())["project"]["optional-dependencies"]:
        lock = REQUIREMENTS / f"{extra}.txt"
        options = ["--generate-hashes", "--no-header", "--no-emit-index-url", "--python", str(INTERPRETER)]
        if extra in WITHOUT_DEPENDENCIES:
            options.append("--no-deps")
        if extra in STACKED:
            below = REQUIREMENTS / f"{STACKED[extra]}.txt"
            options += ["--constraint", str(below), *(f"--no-emit-package={name}" for name in names(below))]
        command = [uv(), "pip", "compile", "--quiet", *options, "--extra", extra, "pyproject.toml", "-o", str(lock)]
        if subprocess.run(command, cwd=project.parent).returncode:
            return 1
        print(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
