"""`python -m cli home|up|down|doctor|shell|model|data|fetch [--stack NAME]`; `make` calls it."""

import argparse
import os
import sys
from pathlib import Path

from cli import data, model
from cli.doctor import doctor
from cli.down import down
from cli.errors import DEFAULT_STACK, CommandFailed, make
from cli.fetch import fetch
from cli.home import home
from cli.lock import alone
from cli.shell import shell
from cli.up import up
from homespun.clients.errors import ServiceError
from homespun.hosts.errors import HostError
from stacks.machines.errors import LabError
from stacks.mesh.errors import MeshError
from stacks.settings import SettingsError
from tools import screen
from tools.environments import EnvironmentBuildError
from tools.obtain import ToolError

KNOWN = (
    CommandFailed,
    EnvironmentBuildError,
    HostError,
    LabError,
    MeshError,
    ServiceError,
    SettingsError,
    ToolError,
)
"""Errors that say what to do."""


def main() -> int:
    try:
        code = _run(_arguments())
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read has read enough; what is left is flushed at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(arguments: argparse.Namespace) -> int:
    try:
        match arguments.command:
            case "up":
                with alone():
                    up(arguments.stack)
            case "down":
                with alone():
                    down(arguments.stack)
            case "doctor":
                return 0 if doctor(arguments.stack) else 1
            case "shell":
                shell(arguments.stack)
            case "model":
                model.bring(arguments.stack, arguments.folder, arguments.name, arguments.replace)
            case "data":
                data.bring(arguments.stack, arguments.folder, arguments.name, arguments.replace)
            case "home":
                home()
            case "fetch":
                fetch(arguments.stack, arguments.source, arguments.to)
    except KNOWN as error:
        screen.line("")
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        up_again, away = make("up", arguments.stack), make("down", arguments.stack)
        print(f"\ninterrupted; `{up_again}` goes on from here, `{away}` takes it all away", file=sys.stderr)
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    stack = argparse.ArgumentParser(add_help=False)
    stack.add_argument(
        "--stack",
        default=DEFAULT_STACK,
        help="the environment; its settings are in stacks/Pulumi.<it>.yaml and <it>-base.yaml",
    )
    parser = argparse.ArgumentParser(prog="python -m cli", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("home", "up", "down", "doctor", "shell"):
        commands.add_parser(name, parents=[stack])
    of_a_model, of_data = "with model.onnx, tokenizer.json and what else belongs to it", "with texts or records"
    for name, what in (("model", of_a_model), ("data", of_data)):
        copy = commands.add_parser(name, parents=[stack])
        copy.add_argument("folder", type=Path, help=what)
        copy.add_argument("--name", default="", help="of the folder in the claim; that of the folder, if left out")
        copy.add_argument("--replace", action="store_true", help="a folder of that name with other content")
    out = commands.add_parser("fetch", parents=[stack])
    out.add_argument("source", help="CLAIM/PATH")
    out.add_argument("--to", type=Path, required=True, help="where it is to be on this box")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
