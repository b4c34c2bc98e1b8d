"""A folder of this box into a claim, by a pod that mounts it."""

import json
import re
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from cli.errors import CommandFailed, make
from cli.kubectl import Kubectl, cluster
from cli.waiting import wait
from operators import pods
from operators.inference.manifests import SERVER
from stacks import settings
from stacks.platform.manifests import GATEWAY, OURS, SYSTEM
from tools import screen
from workloads.edge.digests import sha256_of
from workloads.inference import manifest
from workloads.inference.receive import OTHER_CONTENT

CHUNK_BYTES: Final = 1 << 20
COPIES: Final = {"app.kubernetes.io/name": "copy", **OURS}
"""Labels of the pods that copy."""
COPIES_SELECTOR: Final = ",".join(f"{name}={value}" for name, value in COPIES.items())
START_SECONDS: Final = 90
END_SECONDS: Final = 600
"""From the last byte on: the pod still reads all of it once more, for its digest."""


class CopyRefused(CommandFailed):
    """There is a folder of that name with other content."""


@dataclass(frozen=True)
class Folder:
    """What of a folder on this box is copied."""

    path: Path
    name: str
    """Of the folder on the claim."""
    files: tuple[Path, ...]
    """Relative."""
    left_out: tuple[Path, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum((self.path / file).stat().st_size for file in self.files)

    def digest(self) -> str:
        """Of what is copied. Reads all of it."""
        return manifest.digest({file.as_posix(): sha256_of(self.path / file) for file in self.files})


def named(path: Path, name: str) -> str:
    """The folder's name in a claim. Raises CommandFailed where it can't be one, or is no folder."""
    name = name or path.resolve().name.lower()
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,48}[a-z0-9])?", name):
        raise CommandFailed(
            f"NAME: expected at most 50 lower-case letters, digits, dots and dashes, got {name!r}; say NAME=…"
        )
    if not path.is_dir():
        raise CommandFailed(f"FROM={path}: expected a folder, found {'a file' if path.exists() else 'none'}")
    return name


def bring(stack: str, claim: str, folder: Folder, replace: bool) -> str:
    """Copy a folder into an environment's claim and say what it took; its digest. Raises CommandFailed."""
    started = time.monotonic()
    found = settings.platform(stack)
    digest = copy(cluster(stack, found), found.namespace, claim, folder, make("up", stack), replace)
    screen.line("")
    took = time.monotonic() - started
    print(f"copied   {folder.name}: {len(folder.files)} files, {folder.size / 1e6:.1f} MB, {took:.0f} s")
    return digest


def copy(kubectl: Kubectl, namespace: str, claim: str, folder: Folder, advice: str, replace: bool = False) -> str:
    """Put it into the claim; its digest. After a CommandFailed the claim is as before.

    One of that name with other content is refused, unless `replace`: it may be in use.

    `advice` is the command that brings the platform up, should there be none.
    """
    digest = folder.digest()
    pod = f"copy-{claim}-{folder.name}"
    target = ("-n", namespace)
    image = _image(kubectl, advice)
    kubectl.run(*target, "delete", "pod", pod, "--ignore-not-found", "--grace-period=1")
    kubectl.run(
        *target, "create", "-f", "-", input=json.dumps(_pod(pod, namespace, image, claim, folder.name, digest, replace))
    )
    try:
        screen.line(f"copy  {folder.name}  start")
        if wait(lambda: _in_phase(kubectl, namespace, pod, "Pending"), f"copy  {folder.name}", START_SECONDS):
            raise _stuck(START_SECONDS, _why(kubectl, namespace, pod))
        with kubectl.feed(*target, "attach", "--stdin", pod) as pipe:
            _send(folder, pipe)
        if wait(lambda: _in_phase(kubectl, namespace, pod, "Running"), f"copy  {folder.name}", END_SECONDS):
            raise _stuck(END_SECONDS, "it goes on")
        match _phase(kubectl, namespace, pod):
            case "Succeeded":
                return digest
            case "Failed":
                said = kubectl.run(*target, "logs", pod).strip()
            case other:
                said = f"its pod is {other}: is another copy of that name under way?"
        failure = CopyRefused if OTHER_CONTENT in said else CommandFailed
        raise failure(f"{folder.name}: expected it to be copied into the claim {claim}, but: {said}")
    finally:
        kubectl.run(*target, "delete", "pod", pod, "--ignore-not-found", "--grace-period=1", "--wait=false")


def _send(folder: Folder, pipe: IO[bytes]) -> None:
    # A hub's cache holds links to its files: what they lead to is meant.
    sent, size, progress = 0, folder.size, screen.Percent(f"copy  {folder.name}")
    with tarfile.open(fileobj=pipe, mode="w|", dereference=True, bufsize=CHUNK_BYTES) as archive:
        for file in folder.files:
            archive.add(folder.path / file, file.as_posix(), recursive=False)
            sent += (folder.path / file).stat().st_size
            progress.show("copy", 100 * sent // max(1, size))


def _pod(name: str, namespace: str, image: str, claim: str, folder: str, digest: str, replace: bool) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": COPIES},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 6 * 3600,  # of a copy that was killed
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pods.POD_SECURITY,
            # A claim may be had by one machine at a time.
            "affinity": {
                "podAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 100,
                            "podAffinityTerm": {
                                "topologyKey": "kubernetes.io/hostname",
                                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": SERVER}},
                            },
                        }
                    ]
                }
            },
            "containers": [
                {
                    "name": "copy",
                    "image": image,
                    "command": [
                        "python",
                        "-m",
                        "workloads.inference.receive",
                        folder,
                        digest,
                        *(["--replace"] if replace else []),
                    ],
                    "stdin": True,
                    "stdinOnce": True,
                    "securityContext": pods.CONTAINER_SECURITY,
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                    "volumeMounts": [{"name": "claim", "mountPath": "/claim"}, pods.TMP_MOUNT],
                }
            ],
            "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": claim}}, pods.TMP],
        },
    }


def _image(kubectl: Kubectl, advice: str) -> str:
    """The one that the gateway runs from: it is on the cluster for certain."""
    found = kubectl.get("-n", SYSTEM, "deployment", GATEWAY)
    if not found:
        raise CommandFailed(f"expected Homespun on this cluster, found none; run `{advice}` first")
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


def _in_phase(kubectl: Kubectl, namespace: str, pod: str, phase: str) -> str:
    """The phase, as long as the pod is in it; ''."""
    return phase if _phase(kubectl, namespace, pod) == phase else ""


def _stuck(seconds: int, why: str) -> CommandFailed:
    return CommandFailed(f"the copy's pod: expected to come further within {seconds} s, found: {why}")
