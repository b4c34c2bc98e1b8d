"""What must be true of every manifest that we render, whoever renders it. Pure: a manifest in, violations out."""

from collections.abc import Iterator
from typing import Any

Manifest = dict[str, Any]


def violations(manifest: Manifest) -> list[str]:
    """Each violation with its place; none for a manifest without a pod."""
    spec = manifest.get("spec") or {}
    pod = spec.get("template", {}).get("spec") if manifest["kind"] != "Pod" else spec
    if not pod:
        return []
    place = f"{manifest['kind']}/{manifest['metadata']['name']}"
    return [f"{place}: {found}" for found in _pod(pod)]


def _pod(pod: Manifest) -> Iterator[str]:
    security = pod.get("securityContext") or {}
    if not security.get("runAsNonRoot"):
        yield "runs as root"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccomp profile is not RuntimeDefault"
    if any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares a namespace with its machine"
    allowed = {"name", "emptyDir", "persistentVolumeClaim", "configMap", "secret", "projected", "downwardAPI"}
    for volume in pod.get("volumes", ()):
        if set(volume) - allowed:
            yield f"volume {volume['name']}: {', '.join(sorted(set(volume) - allowed))} is not for a restricted pod"
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        for found in _container(container):
            yield f"{container['name']}: {found}"


def _container(container: Manifest) -> Iterator[str]:
    security = container.get("securityContext") or {}
    if security.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root file system"
    resources = container.get("resources") or {}
    if not {"cpu", "memory"} <= set(resources.get("requests") or {}):
        yield "requests no cpu or memory"
    if "memory" not in (resources.get("limits") or {}):
        yield "has no memory limit"
    if "livenessProbe" not in container:
        yield "has no liveness probe"
    name, _, tag = container["image"].rpartition(":")
    if not name or tag in ("", "latest") or "/" in tag:
        yield f"image {container['image']} has no tag, or latest"
