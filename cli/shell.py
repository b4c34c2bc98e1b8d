"""`make shell`: a shell in which pulumi, kubectl and python find everything."""

import os
import shlex
import sys
from pathlib import Path

import yaml

from cli.errors import not_up
from cli.kubectl import Kubectl, cluster, write_secret
from cli.project import CHECKOUT, Project
from homespun import places
from stacks import settings
from tools.environments import environment as python_environment
from tools.pulumi.install import environment, install, launcher
from tools.screen import Percent

CLIENT = "shell"
"""The environment of its `python`: huggingface_hub, pinecone, numpy."""


def shell(name: str) -> None:
    """Become a shell. Raises CommandFailed where the environment was never brought up."""
    found = settings.platform(name)
    commands = places.state() / "shell"
    if not (places.state() / "pulumi").exists():
        raise not_up(name)
    installation = install(Percent("pulumi").show)
    commands.mkdir(exist_ok=True)
    _write(commands / "pulumi", launcher(installation.python, CHECKOUT, "cli.shell"))
    kubectl = cluster(name, found)
    own = commands / f"{name}.kubeconfig"
    write_secret(own, _with_namespace(kubectl.run("config", "view", "--minify", "--flatten", "--raw"), found.namespace))
    _write(commands / "kubectl", f'#!/bin/sh\nexec {shlex.join(Kubectl(own).command())} "$@"\n')
    folders = [commands, python_environment(CLIENT) / "bin"]
    variables = environment(installation, places.state(), os.environ)
    variables["PATH"] = ":".join([*map(str, folders), variables["PATH"]])
    variables["KUBECONFIG"] = str(own)
    variables["STACK"] = name  # for make
    program = os.environ.get("SHELL") or "/bin/bash"
    if sys.stdin.isatty():
        stacks = f"-s {name}" if found.environment == "cluster" else f"-s {name}, -s {name}{settings.BASE}"
        print(f"pulumi {stacks}; kubectl, python; `exit` leaves", file=sys.stderr)
    os.execvpe(program, [program], variables)  # noqa: S606 - a shell is what was asked for


def pulumi() -> None:
    """The shell's `pulumi`: the real one, in the project's folder, on what the settings files say now."""
    installation = install(lambda what, percent: None)
    projects = [
        Project(path.name.split(".")[1], installation) for path in sorted(settings.FOLDER.glob("Pulumi.*.yaml"))
    ]
    command = str(installation.bin / "pulumi")
    os.chdir(projects[0].folder)
    os.execve(command, [command, *sys.argv[1:]], environment(installation, places.state(), os.environ))  # noqa: S606


def _with_namespace(kubeconfig: str, namespace: str) -> str:
    """The kubeconfig, for objects that name no namespace: in the users' one they are seen by the operator."""
    document = yaml.safe_load(kubeconfig)
    for entry in document["contexts"]:
        entry["context"]["namespace"] = namespace
    return yaml.safe_dump(document)


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


if __name__ == "__main__":
    pulumi()
