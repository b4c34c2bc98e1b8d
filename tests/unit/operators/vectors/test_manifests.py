"""The children are fit for a namespace under the restricted Pod Security Standard."""

import pytest

from operators.vectors import manifests
from tests.policy import violations
from workloads.vectors import engine

IMAGES = manifests.Images(milvus="local/milvus:1", vectors="local/vectors:1", ingest="local/ingest:1")


@pytest.mark.parametrize("own_engine", [True, False])
def test_the_pod_keeps_to_the_policy(own_engine: bool) -> None:
    assert violations(manifests.deployment("ml", IMAGES, own_engine)) == []


def test_the_agent_runs_without_an_engine_where_that_is_elsewhere() -> None:
    pod = manifests.deployment("ml", IMAGES, own_engine=False)["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == ["agent"]
    assert not [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]


def test_the_manifest_and_the_program_speak_of_the_same_ports() -> None:
    assert (manifests.ENGINE_PORT, manifests.HEALTH_PORT) == (engine.PORT, engine.HEALTH_PORT)
