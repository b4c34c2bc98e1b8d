"""A pod that mounts a claim, for as long as something is brought into it or out of it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from cli.errors import CommandFailed
from cli.kubectl import Kubectl
from cli.waiting import wait
from operators import pods
from operators.inference.manifests import SERVER
from stacks.platform.manifests import GATEWAY, OURS, SYSTEM
from tools import screen

COPIES: Final = {"app.kubernetes.io/name": "copy", **OURS}
"""Labels of these pods."""
COPIES_SELECTOR: Final = ",".join(f"{name}={value}" for name, value in COPIES.items())
MOUNTED: Final = "/claim"
START_SECONDS: Final = 90


@contextmanager
def mounted(
    kubectl: Kubectl, namespace: str, claim: str, pod: str, command: Sequence[str], advice: str
) -> Iterator[None]:
    """Run `command` in a pod of that name, with the claim at MOUNTED, from its start to the end of the block.

    `advice` is the command that brings the platform up, should there be none. Raises CommandFailed.
    """
    target = ("-n", namespace)
    image = _image(kubectl, advice)
    kubectl.run(*target, "delete", "pod", pod, "--ignore-not-found", "--grace-period=1")
    kubectl.run(*target, "create", "-f", "-", input=json.dumps(_pod(pod, namespace, image, claim, command)))
    try:
        screen.line(f"{pod}  start")
        if wait(lambda: in_phase(kubectl, namespace, pod, "Pending"), pod, START_SECONDS):
            raise stuck(START_SECONDS, _why(kubectl, namespace, pod))
        yield
    finally:
        kubectl.run(*target, "delete", "pod", pod, "--ignore-not-found", "--grace-period=1", "--wait=false")


def phase(kubectl: Kubectl, namespace: str, pod: str) -> str:
    """Of a pod; `gone` if there is none."""
    return str(kubectl.get("-n", namespace, "pod", pod).get("status", {}).get("phase", "gone"))


def in_phase(kubectl: Kubectl, namespace: str, pod: str, name: str) -> str:
    """The phase, as long as the pod is in it; ''."""
    return name if phase(kubectl, namespace, pod) == name else ""


def stuck(seconds: int, why: str) -> CommandFailed:
    """What to raise where a pod does not come further."""
    return CommandFailed(f"the copy's pod: expected to come further within {seconds} s, found: {why}")


def _pod(name: str, namespace: str, image: str, claim: str, command: Sequence[str]) -> dict[str, Any]:
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
                **pods.NEAR_DATA,
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
                },
            },
            "containers": [
                {
                    "name": "copy",
                    "image": image,
                    "command": list(command),
                    "stdin": True,
                    "stdinOnce": True,
                    "securityContext": pods.CONTAINER_SECURITY,
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                    "volumeMounts": [{"name": "claim", "mountPath": MOUNTED}, pods.TMP_MOUNT],
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


def _why(kubectl: Kubectl, namespace: str, pod: str) -> str:
    """What a pod that does not start waits for."""
    status = kubectl.get("-n", namespace, "pod", pod).get("status", {})
    containers = [entry["state"].get("waiting", {}) for entry in status.get("containerStatuses", [])]
    messages = [entry.get("message") or entry.get("reason") for entry in (*containers, *status.get("conditions", []))]
    return "; ".join(message for message in messages if message) or "no reason given"
