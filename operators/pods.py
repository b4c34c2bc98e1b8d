"""What every pod of ours carries: the restricted Pod Security Standard, and nothing of the machine.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from typing import Any, Final

from homespun.hosts import share
from homespun.hosts.layout import POD_USER

POD_SECURITY: Final[dict[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": POD_USER,
    "runAsGroup": POD_USER,
    "fsGroup": POD_USER,  # a claim's folder gets it
    "fsGroupChangePolicy": "OnRootMismatch",  # once: it may hold much, and be on another machine
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
TMP: Final[dict[str, Any]] = {"name": "tmp", "emptyDir": {}}
TMP_MOUNT: Final[dict[str, Any]] = {"name": "tmp", "mountPath": "/tmp"}
HOME: Final[dict[str, Any]] = {"name": "HOME", "value": "/tmp"}
"""Libraries that insist on a home find the one place that can be written to."""
NAMESPACE: Final[dict[str, Any]] = {
    "name": "NAMESPACE",
    "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
}
"""Which namespace a program follows."""
CLAIMS: Final = "/claims"
"""Where programs see claims, by name."""
RECREATE: Final[dict[str, Any]] = {"type": "Recreate"}
"""The present pod goes before the next comes."""
ROLLING: Final[dict[str, Any]] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
"""The next pod is ready before the present one goes."""


def _preferring(label: str) -> dict[str, Any]:
    """The affinity of what is better placed on a node that has a label; where none has it, it is placed as it comes."""
    wanted = {"weight": 100, "preference": {"matchExpressions": [{"key": label, "operator": "Exists"}]}}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wanted]}}


NEAR_DATA: Final = _preferring(share.HOLDS)
"""Of pods that read or write much of the claim `data`, which other machines see over the network."""
FIRST_SITE: Final = _preferring(share.SEES)
"""Of gateways and pages, which people need there when other sites are away; of workers, whose image is only there."""


def volume(claim: str) -> str:
    """A volume's name is a label (at most 63, no dots); a claim's may hold dots."""
    return f"claim-{claim.replace('.', '-')}"[:63].rstrip("-")


def claim_of(uri: str) -> str:
    """The claim that a `pvc://` URI names."""
    return uri.removeprefix("pvc://").split("/")[0]


def fail_on(code: int) -> dict[str, Any]:
    """The podFailurePolicy of a Job whose program says by an exit code that no other try can help."""
    return {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [code]}}]}
