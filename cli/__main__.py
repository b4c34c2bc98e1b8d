"""`python -m cli up|down|doctor [--stack NAME]`; `make` calls it."""

import argparse
import sys

from cli.doctor import doctor
from cli.down import down
from cli.errors import CommandFailed
from cli.up import up
from stacks.machines.errors import LabError
from stacks.settings import SettingsError
from tools.environments import EnvironmentBuildError
from tools.obtain import ToolError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cli", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["up", "down", "doctor"])
    parser.add_argument(
        "--stack", default="lab", help="the environment; its settings are in stacks/Pulumi.<it>-base.yaml"
    )
    arguments = parser.parse_args()
    try:
        match arguments.command:
            case "up":
                up(arguments.stack)
            case "down":
                down(arguments.stack)
            case "doctor":
                return 0 if doctor(arguments.stack) else 1
    except (CommandFailed, EnvironmentBuildError, LabError, SettingsError, ToolError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; `make up` goes on from here, `make down` takes it all away", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
