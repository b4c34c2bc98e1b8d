"""A lab of the tests' own: one real machine, a host by Ansible, a cluster by kubeadm, the platform and a model's files.

It has a name, a bridge, ranges and a folder of its own, and may run beside a lab that is up.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import yaml

from cli.project import Project
from cli.up import machine_of, memory_bytes
from homespun import places
from homespun.hosts import state
from stacks import settings
from stacks.machines import nspawn
from stacks.platform.manifests import LocalVolume, Platform, manifests
from tools.environments import environment
from tools.images.build import images
from tools.obtain import obtain
from tools.pulumi.install import install
from tools.table import named

NAME: Final = "e2e"
NODE: Final = "m0"
STACK: Final = f"{NAME}-base"  # its settings: stacks/Pulumi.e2e-base.yaml
REPOSITORY: Final = Path(__file__).parents[2]
ADDRESS: Final = IPv4Address("10.39.0.10")
MODELS: Final = f"{state.VOLUMES}/models"


def quiet(*_: Any) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True)
class Lab:
    """The running lab; `times` are the seconds that each step took."""

    machine: nspawn.Machine
    kubeconfig: Path
    times: dict[str, float]

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:
        """What kubectl prints; an AssertionError with what it complains of, if it fails and `check`."""
        command = [str(obtain(named("kubectl"), quiet)), f"--kubeconfig={self.kubeconfig}", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, input=input, timeout=300)
        assert ran.returncode == 0 or not check, f"kubectl {' '.join(arguments)}: {ran.stderr}"
        return ran.stdout

    def ssh(self, command: str) -> str:
        return self.machine.connection.run(command, timeout=120)


def up() -> str:
    """`make up` of the tests' lab; what it prints."""
    return _cli("up")


def down() -> str:
    """`make down` of the tests' lab; what it prints."""
    return _cli("down")


def pulumi(*arguments: str) -> str:
    """A `pulumi` command on the base stack, as one would give it in the project's folder."""
    project = Project(STACK, install(quiet))
    ran = project.run(*arguments, "--stack", STACK)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def start() -> Lab:
    """Bring it up: machine, host, cluster. What an earlier run left is taken down first."""
    down()
    first = up()
    times = {name: float(seconds) for name, seconds in re.findall(r"(\w+) (\d+)s", first)}
    return Lab(machine_of(settings.load(STACK)), places.state() / f"kubeconfigs/{NAME}", times)


def start_again() -> Lab:
    """Bring it up from whatever there is."""
    up()
    return Lab(machine_of(settings.load(STACK)), places.state() / f"kubeconfigs/{NAME}", {})


def resources() -> dict[str, dict[str, Any]]:
    """Outputs of the base stack's resources as Pulumi keeps them, by the kind's last word."""
    exported = json.loads(pulumi("stack", "export", "--show-secrets"))["deployment"]["resources"]
    return {entry["type"].rsplit(":", 1)[1]: entry.get("outputs", {}) for entry in exported}


def _cli(command: str) -> str:
    python = environment("stacks") / "bin/python"
    ran = subprocess.run(
        [python, "-m", "cli", command, "--stack", NAME], cwd=REPOSITORY, env={**os.environ, "YES": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def add_platform(lab: Lab) -> None:
    """Images into the machine's containerd, then the objects of the platform stack."""
    built = images(quiet)
    with _timed(lab.times, "images"):
        for image in built.values():
            command = [
                *lab.machine.connection.command(),
                f"{state.CTR} images import --local --discard-unpacked-layers -",
            ]
            with image.archive.open("rb") as archive:
                subprocess.run(command, stdin=archive, capture_output=True, check=True, timeout=300)
    lab.ssh(f"install -d -m 2775 -g 10001 {MODELS}")
    platform = Platform(
        namespace="ml",
        address=str(ADDRESS),
        operator_image=built["operator"].reference,
        serving_image=built["serving"].reference,
        triton_image=built["triton"].reference,
        models_volume=LocalVolume(NODE, MODELS),
    )
    with _timed(lab.times, "platform"):
        documents = manifests(platform)
        first = [document for document in documents if document["kind"] in ("Namespace", "CustomResourceDefinition")]
        for batch in (first, documents):
            lab.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(batch))
        lab.kubectl("-n", "homespun-system", "rollout", "status", "deployment", "--timeout=180s")


def copy_model(lab: Lab, folder: Path, name: str) -> None:
    """Put a model's folder into the claim `models`."""
    pack = subprocess.run(["tar", "-C", str(folder), "-c", "."], capture_output=True, check=True).stdout
    target = f"{MODELS}/{name}"
    unpack = f"mkdir -p {target} && tar -C {target} --no-same-owner -x && chmod -R g+rX {target}"
    command = [*lab.machine.connection.command(), unpack]
    subprocess.run(command, input=pack, check=True, capture_output=True)


def memory(lab: Lab) -> int:
    """Bytes that the machine's processes take, without what the kernel only caches."""
    return memory_bytes(lab.machine)


def conditions(lab: Lab, name: str) -> dict[str, str]:
    """Type → status of a model's conditions."""
    found = json.loads(lab.kubectl("-n", "ml", "get", "im", name, "-o", "json"))
    return {entry["type"]: entry["status"] for entry in found.get("status", {}).get("conditions", [])}


@contextmanager
def _timed(times: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    times[name] = round(time.monotonic() - started, 1)
