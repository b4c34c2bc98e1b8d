"""The API server itself refuses an object that makes no sense, and says what to do."""

import subprocess
from typing import Any

import pytest
import yaml

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE

GOOD: dict[str, Any] = {
    "apiVersion": "homespun.dev/v1alpha1",
    "kind": "InferenceModel",
    "metadata": {"name": "admission"},
    "spec": {"modelId": "org/admission", "task": "feature-extraction", "source": {"uri": "pvc://models/x"}},
}


def refusal(cluster: Cluster, **spec: Any) -> str:
    """What kubectl says of an object with these fields; '' if the API server would take it."""
    document = {**GOOD, "spec": {**GOOD["spec"], **spec}}
    ran = subprocess.run(
        [*cluster.kubectl_command, "-n", NAMESPACE, "apply", "--dry-run=server", "-f", "-"],
        input=yaml.safe_dump(document),
        capture_output=True,
        text=True,
    )
    return "" if ran.returncode == 0 else ran.stderr


@pytest.mark.usefixtures("namespace")
class TestAnInferenceModel:
    def test_with_three_fields_is_taken(self, cluster: Cluster) -> None:
        assert refusal(cluster) == ""

    def test_gets_its_defaults_from_the_api_server(self, cluster: Cluster) -> None:
        document = yaml.safe_dump(GOOD)
        got = cluster.kubectl("-n", NAMESPACE, "apply", "--dry-run=server", "-o", "yaml", "-f", "-", input=document)
        assert yaml.safe_load(got)["spec"]["batching"] == {"maxBatchSize": 32, "maxQueueDelay": "2ms"}

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ({"task": "make-coffee"}, 'supported values: "feature-extraction", "sentence-similarity"'),
            ({"source": {"uri": "http://somewhere"}}, "spec.source.uri"),
            ({"source": {"uri": "hf://org/name"}}, "expected the commit (40 hex digits)"),
            ({"source": {"uri": "hf://org/name", "revision": "main"}}, "expected the commit (40 hex digits)"),
            ({"source": {"uri": "pvc://models/x", "revision": "abc"}}, "expected nothing or sha256:"),
            (
                {"source": {"uri": "pvc://models/x", "tokenSecretRef": {"name": "hub"}}},
                "only an hf:// source takes a token",
            ),
            ({"batching": {"maxBatchSize": 0}}, "greater than or equal to 1"),
            ({"batching": {"maxQueueDelay": "soon"}}, "spec.batching.maxQueueDelay"),
            ({"access": {"tokens": [{"secretRef": {}}]}}, "spec.access.tokens[0].secretRef.name: Required value"),
            ({"modelId": None}, "spec.modelId: Required value"),
            ({"maxBatch": 3}, 'unknown field "spec.maxBatch"'),
        ],
        ids=lambda value: "" if isinstance(value, str) else str(value),
    )
    def test_that_makes_no_sense_is_refused(self, cluster: Cluster, spec: dict[str, Any], told: str) -> None:
        assert told in refusal(cluster, **spec)
