"""A lab of the tests' own, by `make up`: one real machine, a host, a cluster, the platform and a model.

It has a name, a bridge, ranges and a folder of its own, and may run beside a lab that is up.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import pytest

from cli.kubectl import kubeconfig, write_secret
from cli.lab import machines_of
from cli.project import Project
from homespun.hosts import headscale, mesh
from stacks import settings
from stacks.machines import nspawn
from tests.e2e import killed
from tools.environments import environment
from tools.obtain import obtain
from tools.pulumi.install import install
from tools.table import named

NAME: Final = "e2e"
NODE: Final = "m0"
BASE: Final = f"{NAME}{settings.BASE}"  # its settings: stacks/Pulumi.e2e-base.yaml
REPOSITORY: Final = Path(__file__).parents[2]
ADDRESS: Final = IPv4Address("10.39.0.10")
LET_IN: Final = ("tcp dport 8443", f"udp dport {{ {headscale.STUN_PORT}, {mesh.PORT} }}")
"""What docs/home.md has a router at the first machine's site forward."""
MODEL_ID: Final = "sentence-transformers/all-MiniLM-L6-v2"


def quiet(*_: Any) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True)
class Lab:
    """The running lab; `said` is what the `make up` that brought it up ended with."""

    machine: nspawn.Machine
    kubeconfig: Path
    said: str

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:
        """What kubectl prints; an AssertionError with what it complains of, if it fails and `check`."""
        return kubectl(self.kubeconfig, *arguments, input=input, check=check)

    def ssh(self, command: str) -> str:
        return self.machine.connection.run(command, timeout=120)


def kubectl(kubeconfig: Path, *arguments: str, input: str | None = None, check: bool = True) -> str:
    """What kubectl prints; an AssertionError with what it complains of, if it fails and `check`."""
    command = [str(obtain(named("kubectl"), quiet)), f"--kubeconfig={kubeconfig}", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, input=input, timeout=300)
    assert ran.returncode == 0 or not check, f"kubectl {' '.join(arguments)}: {ran.stderr}"
    return ran.stdout


def up(stack: str = NAME) -> str:
    """`make up` of the tests' lab, or of another of the tests' stacks; what it prints."""
    return _cli("up", stack=stack)


def down(stack: str = NAME) -> str:
    """`make down` of the same; what it prints."""
    return _cli("down", stack=stack)


def forget(name: str) -> None:
    """Of machines that a failed test leaves: the record alone, as they go with all that is on them."""
    if Project.known(f"{name}{settings.BASE}"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FORGET", "1")
            down(name)


def boot(machine: nspawn.Machine) -> None:
    """Make a machine that stands for one with a kernel of its own, and start it."""
    nspawn.create(machine)
    nspawn.start(machine)
    machine.connection.run("mkdir -p /usr/lib/modules")  # which each of these has


def home(answers: str) -> str:
    """`make home`, with its questions answered; what it prints."""
    return _cli("home", input=answers)


def shell(script: str) -> str:
    """What these lines print in `make shell`."""
    return _cli("shell", input=script)


def pulumi(*arguments: str, stack: str = BASE) -> str:
    """A `pulumi` command on a stack, as one would give it in the project's folder."""
    project = Project(stack, install(quiet))
    ran = project.run(*arguments, "--stack", stack)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def cluster_up(name: str) -> str:
    """A base stack alone, from nothing, by `pulumi up`; what that prints."""
    project = Project(f"{name}{settings.BASE}", install(quiet))
    project.prepare()
    said = pulumi("up", "--yes", "--skip-preview", stack=project.stack)
    write_secret(kubeconfig(name), project.outputs()["kubeconfig"])
    return said


def start() -> Lab:
    """Bring it up from nothing, killed at each step before it is left alone. What an earlier run left goes first."""
    down()
    for step, begun in killed.MOMENTS.items():
        killed.kill_at(step, begun, NAME)
    return Lab(machines_of(settings.lab(NAME))[0], kubeconfig(NAME), up())


def resources() -> dict[str, dict[str, Any]]:
    """Outputs of the base stack's resources as Pulumi keeps them, by the kind's last word."""
    exported = json.loads(pulumi("stack", "export", "--show-secrets"))["deployment"]["resources"]
    return {entry["type"].rsplit(":", 1)[1]: entry.get("outputs", {}) for entry in exported}


def _cli(command: str, *arguments: str, input: str = "", stack: str = NAME) -> str:
    python = environment("stacks") / "bin/python"
    ran = subprocess.run(
        [python, "-m", "cli", command, "--stack", stack, *arguments], cwd=REPOSITORY,
        env={**os.environ, "YES": "1", "SHELL": "/bin/bash", "STACK": stack},
        input=input, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def model(folder: Path, name: str) -> str:
    """`make model`; what it prints."""
    return _cli("model", "--name", name, str(folder))


def data(folder: Path, name: str, stack: str = NAME) -> str:
    """`make data`; what it prints."""
    return _cli("data", "--name", name, str(folder), stack=stack)


def fetch(source: str, target: Path) -> str:
    """`make fetch`; what it prints."""
    return _cli("fetch", source, "--to", str(target))


def status(lab: Lab, kind: str, name: str) -> dict[str, Any]:
    """The status of an object of ours."""
    found: dict[str, Any] = json.loads(lab.kubectl("-n", "ml", "get", kind, name, "-o", "json")).get("status", {})
    return found


def conditions(lab: Lab, name: str, kind: str = "im") -> dict[str, str]:
    """Type → status of an object's conditions."""
    found = json.loads(lab.kubectl("-n", "ml", "get", kind, name, "-o", "json"))
    return {entry["type"]: entry["status"] for entry in found.get("status", {}).get("conditions", [])}


def reason(lab: Lab, name: str, kind: str) -> str:
    """The reason of one of a model's conditions."""
    found = json.loads(lab.kubectl("-n", "ml", "get", "im", name, "-o", "json"))
    return next((str(entry["reason"]) for entry in found["status"]["conditions"] if entry["type"] == kind), "")


def ask(inputs: Any, model_id: str = MODEL_ID, address: IPv4Address = ADDRESS) -> tuple[int, Any]:
    """What the gateway answers on a machine's address; 0 where nothing answers.

    For a moment after a boot a node port still leads to the pod address of before, which may be another pod's by now.
    """
    request = urllib.request.Request(
        f"http://{address}:30080/models/{model_id}",
        data=json.dumps({"inputs": inputs}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, None
