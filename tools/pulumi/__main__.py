"""`python3 -m tools.pulumi [ARGUMENT ...]`: run `pulumi` with these arguments; with none, say what it is made of."""

import os
import sys

from homespun import places
from tools.environments import EnvironmentBuildError
from tools.obtain import ToolError
from tools.pulumi.install import environment, install


def main() -> int:  # noqa: RET503 (execve does not return)
    try:
        installation = install(lambda what, percent: print(f"\rpulumi: {what} {percent}%", end="", file=sys.stderr))
        if not sys.argv[1:]:
            print(*installation.choices, sep="\n")
            return 0
        variables = environment(installation, places.state(), os.environ)
    except (ToolError, EnvironmentBuildError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    os.execve(installation.bin / "pulumi", ["pulumi", *sys.argv[1:]], variables)  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    sys.exit(main())
