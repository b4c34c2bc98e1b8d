"""`python3 -m tools [NAME ...]`: make sure that the commands (all, if none is named) and environments are there.

python3 -m tools                       all commands of the table
python3 -m tools etcd headscale        these; the mesh's, and what only the tests run, are obtained only if named
python3 -m tools --missing-packages    the Debian packages that are missing, those for the tests among them
python3 -m tools --environment dev     the environment of requirements/dev.txt; prints its path
"""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools import screen
from tools.environments import EnvironmentBuildError, environment
from tools.obtain import ToolError, downloads_allowed, obtain
from tools.table import ALL, BUILD_PACKAGES, PACKAGES, TEST_PACKAGES, TOOLS, Tool, named


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools", description=__doc__.splitlines()[0])
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="commands of the table; if none is named, all but the mesh's and the tests'",
    )
    parser.add_argument("--missing-packages", action="store_true", help="print the Debian packages that are missing")
    parser.add_argument("--environment", metavar="EXTRA", help="a file of requirements/, without its .txt")
    arguments = parser.parse_args()
    known = [tool.name for tool in ALL]
    if unknown := sorted(set(arguments.names) - set(known)):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    if arguments.missing_packages:
        print(*missing_packages(TEST_PACKAGES))
        return 0
    try:
        if arguments.environment:
            print(environment(arguments.environment))
            return 0
        _require_packages()
        _obtain([named(name) for name in arguments.names] or TOOLS)
    except (ToolError, EnvironmentBuildError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def missing_packages(also: tuple[tuple[str, str], ...] = ()) -> list[str]:
    """The Debian packages of the table, and `also`, that this machine lacks."""
    machine = platform.machine()
    wanted = (*PACKAGES, *also) if downloads_allowed() else (*PACKAGES, *BUILD_PACKAGES, *also)
    return [name for name, proof in wanted if not Path(proof.format(machine=machine)).exists()]


def _require_packages() -> None:
    if missing := missing_packages():
        raise ToolError(f"missing on this machine: {', '.join(missing)}. Run: apt-get install {' '.join(missing)}")


def _obtain(tools: Sequence[Tool]) -> None:
    for number, tool in enumerate(tools, start=1):
        head = f"tools {number}/{len(tools)} {tool.name} {tool.version}"
        started = time.monotonic()
        path = obtain(tool, screen.Percent(head).show)
        screen.line("")
        print(f"{head}  {path}  {time.monotonic() - started:.0f}s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
