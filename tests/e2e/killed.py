"""An `up` that is killed at a step, with the engine and its plugins."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable

from cli.kubectl import Kubectl, kubeconfig
from cli.project import CHECKOUT
from homespun import places
from stacks import progress
from tests.waiting import until
from tools.environments import environment

MESH_STEPS = ("policy", "join ", "data for ", "kubeadm join ")
"""Of what several machines have besides."""
STEPS = ("root file system", "files : Files are as their digest says", "images : Images are imported", "kubeadm init",
         "import ")  # fmt: skip
"""Of the resources, as they tell them: those that take a while to change something."""


def told(step: str) -> Callable[[str], bool]:
    return lambda _: any(event.what.startswith(step) for event in progress.read(0)[0])


def objects_on_their_way(stack: str) -> bool:
    log = places.state() / f"log/{stack}.log"
    return log.exists() and "Deployment" in log.read_text()


def a_model_being_copied(stack: str) -> bool:
    return bool(Kubectl(kubeconfig(stack)).get("-n", "ml", "pod", "copy-models-minilm"))


MOMENTS: dict[str, Callable[[str], bool]] = {
    **{step: told(step) for step in STEPS},
    "objects": objects_on_their_way,
    "copy": a_model_being_copied,
}
MESH_MOMENTS: dict[str, Callable[[str], bool]] = {step: told(step) for step in MESH_STEPS}


def kill_at(step: str, begun: Callable[[str], bool], stack: str) -> None:
    """Start `up` of a stack and SIGKILL it once `step` has begun."""
    command = [str(environment("stacks") / "bin/python"), "-m", "cli", "up", "--stack", stack]
    shutil.rmtree(places.state() / "log", ignore_errors=True)
    progress.clear()
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True) as up:  # fmt: skip
        until(step, lambda: up.poll() is not None or begun(stack), 1200)
        assert up.poll() is None, f"it ended before `{step}`"
        os.killpg(up.pid, signal.SIGKILL)
