"""`make shell`: a shell in which pulumi, kubectl and python find everything."""

import os
import sys
from pathlib import Path

from cli.errors import CommandFailed
from cli.kubectl import kubeconfig
from cli.project import CHECKOUT, Project
from homespun import places
from stacks import settings
from tools.environments import environment as python_environment
from tools.obtain import obtain
from tools.pulumi.install import environment, install, launcher
from tools.screen import Percent
from tools.table import named

CLIENT = "client-hf-24"
"""The environment of its `python`: huggingface_hub and numpy."""


def shell(name: str) -> None:
    """Become a shell. Raises CommandFailed where the environment was never brought up."""
    cluster = kubeconfig(name)
    if not cluster.exists():
        raise CommandFailed(f"expected {name} to be up, found no {cluster}; run `make up` first")
    installation = install(Percent("pulumi").show)
    commands = places.state() / "shell"
    commands.mkdir(exist_ok=True)
    _write(commands / "pulumi", launcher(installation.python, CHECKOUT, "cli.shell"))
    kubectl = obtain(named("kubectl"), Percent("kubectl").show)
    folders = [commands, kubectl.parent, python_environment(CLIENT) / "bin"]
    found = environment(installation, places.state(), os.environ)
    found["PATH"] = ":".join([*map(str, folders), found["PATH"]])
    found["KUBECONFIG"] = str(cluster)
    found["STACK"] = name  # for make
    program = os.environ.get("SHELL") or "/bin/bash"
    if sys.stdin.isatty():
        print(f"pulumi -s {name} and -s {name}{settings.BASE}, kubectl, python; `exit` leaves", file=sys.stderr)
    os.execvpe(program, [program], found)  # noqa: S606 - a shell is what was asked for


def pulumi() -> None:
    """The shell's `pulumi`: the real one, in the project's folder, on what the settings files say now."""
    installation = install(lambda what, percent: None)
    projects = [
        Project(path.name.split(".")[1], installation) for path in sorted(settings.FOLDER.glob("Pulumi.*.yaml"))
    ]
    command = str(installation.bin / "pulumi")
    os.chdir(projects[0].folder)
    os.execve(command, [command, *sys.argv[1:]], environment(installation, places.state(), os.environ))  # noqa: S606


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


if __name__ == "__main__":
    pulumi()
