"""The policy finds what it is there to find."""

import copy
from typing import Any

import pytest

from operators.inference.manifests import Images, deployment
from tests.policy import violations

GOOD = deployment("ml", Images(triton="local/triton:1", serving="local/serving:1"), ())


def broken(change: Any) -> list[str]:
    manifest = copy.deepcopy(GOOD)
    change(manifest["spec"]["template"]["spec"])
    return violations(manifest)


def test_a_good_manifest_has_no_violations() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda pod: pod["securityContext"].pop("runAsNonRoot"), "runs as root"),
        (lambda pod: pod.update(hostNetwork=True), "shares a namespace"),
        (lambda pod: pod["volumes"].append({"name": "h", "hostPath": {"path": "/"}}), "volume h: hostPath"),
        (lambda pod: pod["containers"][0].update(image="triton:latest"), "or latest"),
        (lambda pod: pod["containers"][0].update(image="registry:5000/triton"), "has no tag"),
        (lambda pod: pod["containers"][0].pop("livenessProbe"), "has no liveness probe"),
        (lambda pod: pod["containers"][0]["resources"].pop("limits"), "has no memory limit"),
        (lambda pod: pod["containers"][0].update(securityContext={}), "may gain privileges"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_violation_is_told_with_its_place(change: Any, told: str) -> None:
    found = broken(change)
    assert any(told in line for line in found), found
    assert all(line.startswith("Deployment/inference-server: ") for line in found)
