"""`make model FROM=folder`: a model's folder into the claim `models`, by a pod that mounts it."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cli.errors import CommandFailed
from cli.kubectl import Kubectl, kubeconfig
from operators import pods
from stacks import settings
from stacks.platform.manifests import GATEWAY, MODELS, SYSTEM
from tools import screen
from workloads.inference import manifest
from workloads.inference.sources import needed

CHUNK_BYTES: Final = 1 << 20
START_SECONDS: Final = 90
END_SECONDS: Final = 600
"""From the last byte on: the pod still reads all of it once more, for its digest."""


@dataclass(frozen=True)
class Folder:
    """A model's folder on this box."""

    path: Path
    name: str
    """Of the folder on the claim."""
    size: int
    """Bytes of all files."""
    digest: str


def bring(stack: str, path: Path, name: str) -> None:
    """Copy a folder into an environment's claim, and say how to serve it. Raises CommandFailed, SettingsError."""
    started = time.monotonic()
    namespace = settings.platform(stack).platform.namespace
    cluster = Kubectl(kubeconfig(stack))
    if not cluster.kubeconfig.exists():
        raise CommandFailed(f"expected {stack} to be up, found no {cluster.kubeconfig}; run `make up` first")
    folder = look(path, name)
    copy(cluster, namespace, folder)
    screen.line("")
    print(f"copied   {folder.name}, {folder.size / 1e6:.0f} MB, {time.monotonic() - started:.0f} s")
    print(
        f"next     an InferenceModel with source: {{uri: pvc://{MODELS}/{folder.name}}}; to pin what was copied, with"
    )
    print(f"         revision: {folder.digest}")


def look(path: Path, name: str = "") -> Folder:
    """The folder, read as a whole. Raises CommandFailed where it can't be a model."""
    name = name or path.resolve().name.lower()
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,48}[a-z0-9])?", name):
        raise CommandFailed(
            f"NAME: expected at most 50 lower-case letters, digits, dots and dashes, got {name!r}; say NAME=…"
        )
    if not path.is_dir():
        raise CommandFailed(f"FROM={path}: expected a folder, found {'a file' if path.exists() else 'none'}")
    files = [file for file in path.rglob("*") if file.is_file()]
    if not any(needed(file.relative_to(path).as_posix()) and file.suffix == ".onnx" for file in files):
        raise CommandFailed(f"FROM={path}: expected model.onnx or onnx/model.onnx in it, found none")
    return Folder(path, name, sum(file.stat().st_size for file in files), manifest.folder_digest(path))


def copy(kubectl: Kubectl, namespace: str, folder: Folder) -> None:
    """Put it into the claim, in place of one of that name. Raises CommandFailed; the claim is as before then."""
    pod = f"copy-{folder.name.replace('.', '-')}"
    target = ("-n", namespace)
    kubectl.run(*target, "delete", "pod", pod, "--ignore-not-found", "--grace-period=1")
    kubectl.run(*target, "create", "-f", "-", input=json.dumps(_pod(pod, namespace, _image(kubectl), folder)))
    try:
        screen.line(f"model  {folder.name}  start")
        _until(
            lambda: _phase(kubectl, namespace, pod) != "Pending", START_SECONDS, lambda: _why(kubectl, namespace, pod)
        )
        kubectl.feed(*target, "attach", "--stdin", pod, chunks=_tar(folder))
        _until(lambda: _phase(kubectl, namespace, pod) in ("Succeeded", "Failed"), END_SECONDS, lambda: "it goes on")
        if _phase(kubectl, namespace, pod) != "Succeeded":
            said = kubectl.run(*target, "logs", pod).strip()
            raise CommandFailed(f"{folder.name}: expected it to be copied into the claim {MODELS}, but: {said}")
    finally:
        kubectl.run(*target, "delete", "pod", pod, "--ignore-not-found", "--grace-period=1", "--wait=false")


def _tar(folder: Folder) -> Iterator[bytes]:
    # A hub's cache holds links to its files: what they lead to is meant.
    command = ["tar", "-C", str(folder.path), "--dereference", "--create", "."]
    sent, progress = 0, screen.Percent(f"model  {folder.name}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while chunk := process.stdout.read(CHUNK_BYTES):
            yield chunk
            sent += len(chunk)
            progress.show("copy", min(100, 100 * sent // max(1, folder.size)))


def _pod(name: str, namespace: str, image: str, folder: Folder) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 6 * 3600,  # of a copy that was killed
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pods.POD_SECURITY,
            "containers": [
                {
                    "name": "copy",
                    "image": image,
                    "command": ["python", "-m", "workloads.inference.receive", folder.name, folder.digest],
                    "stdin": True,
                    "stdinOnce": True,
                    "securityContext": pods.CONTAINER_SECURITY,
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                    "volumeMounts": [{"name": "claim", "mountPath": "/claim"}, pods.TMP_MOUNT],
                }
            ],
            "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": MODELS}}, pods.TMP],
        },
    }


def _image(kubectl: Kubectl) -> str:
    """The one that the gateway runs from: it is on the cluster for certain."""
    found = kubectl.get("-n", SYSTEM, "deployment", GATEWAY)
    if not found:
        raise CommandFailed("expected Homespun on this cluster, found none; run `make up` first")
    image: str = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def _phase(kubectl: Kubectl, namespace: str, pod: str) -> str:
    return str(kubectl.get("-n", namespace, "pod", pod).get("status", {}).get("phase", "gone"))


def _why(kubectl: Kubectl, namespace: str, pod: str) -> str:
    """What a pod that does not start waits for."""
    status = kubectl.get("-n", namespace, "pod", pod).get("status", {})
    containers = [entry["state"].get("waiting", {}) for entry in status.get("containerStatuses", [])]
    messages = [entry.get("message") or entry.get("reason") for entry in (*containers, *status.get("conditions", []))]
    return "; ".join(message for message in messages if message) or "no reason given"


def _until(condition: Callable[[], bool], deadline: float, why: Callable[[], str]) -> None:
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise CommandFailed(f"the copy's pod: expected to come further within {deadline:.0f} s, found: {why()}")
        time.sleep(0.2)
