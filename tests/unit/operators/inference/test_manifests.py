"""The children are fit for a namespace under the restricted Pod Security Standard."""

from typing import Any

import pytest

from operators.children import child
from operators.inference import manifests, plan
from tests.unit.operators.inference.worlds import config, model

IMAGES = manifests.Images(triton="local/triton:1", serving="local/serving:1")


@pytest.fixture
def pod() -> dict[str, Any]:
    spec: dict[str, Any] = manifests.deployment("ml", IMAGES, ("models",))["spec"]["template"]["spec"]
    return spec


def test_the_pod_is_restricted(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        rules = container["securityContext"]
        assert rules["capabilities"] == {"drop": ["ALL"]}
        assert rules["allowPrivilegeEscalation"] is False
        assert rules["readOnlyRootFilesystem"] is True
    assert all(set(volume) & {"emptyDir", "persistentVolumeClaim"} for volume in pod["volumes"])


def test_every_container_has_requests_a_memory_limit_and_a_liveness_probe(pod: dict[str, Any]) -> None:
    for container in pod["containers"]:
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert "livenessProbe" in container


def test_the_agent_sees_the_claims_read_only(pod: dict[str, Any]) -> None:
    agent = next(container for container in pod["containers"] if container["name"] == "agent")
    mount = next(mount for mount in agent["volumeMounts"] if mount["mountPath"] == "/claims/models")
    volume = next(volume for volume in pod["volumes"] if volume["name"] == mount["name"])
    assert mount["readOnly"]
    assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}


def test_the_claims_are_those_that_the_sources_name_once_each() -> None:
    one = model("a", "x", modelId="a")
    two = model("b", "y", modelId="b")
    hub = model("c", modelId="c", source={"uri": "hf://org/name", "revision": "0" * 40})
    assert plan.claims(config(one, two, hub), {"models", "others"}) == ("models",)


def test_a_claim_that_is_not_there_is_not_mounted() -> None:
    assert plan.claims(config(model("a", "x")), {"others"}) == ()


def test_a_child_carries_its_kind_and_all_its_owners() -> None:
    owners = [{"name": "a", "uid": "1"}, {"name": "b", "uid": "2"}]
    labelled = child(manifests.service("ml"), "InferenceModel", owners)["metadata"]
    assert labelled["labels"]["homespun.dev/kind"] == "InferenceModel"
    assert labelled["labels"]["app.kubernetes.io/name"] == "inference-server"
    assert labelled["ownerReferences"] == owners
