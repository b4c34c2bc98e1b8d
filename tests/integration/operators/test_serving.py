"""An applied model answers real requests; a bad revision never takes down a good one; nothing is Ready unearned."""

import math

import pytest

from tests.integration.operators.objects import apply, condition, inference_model
from tests.integration.parts.data_plane import DataPlane
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("running_operator", "no_objects")


def ready(cluster: Cluster, name: str) -> bool:
    return condition(cluster, name, "Ready").get("status") == "True"


def test_an_applied_model_becomes_ready_and_answers(cluster: Cluster, plane: DataPlane) -> None:
    apply(cluster, inference_model("one"))
    until("Ready", lambda: ready(cluster, "one"))
    status, vector = plane.ask("org/one", "hello")
    assert (status, len(vector)) == (200, 384)
    assert math.isclose(sum(x * x for x in vector), 1.0, abs_tol=1e-3)
    row = cluster.kubectl("-n", NAMESPACE, "get", "homespun")
    assert "org/one" in row
    assert "Loaded" in row


def test_two_models_serve_side_by_side(cluster: Cluster, plane: DataPlane) -> None:
    apply(cluster, inference_model("one"), inference_model("two", task="sentence-similarity"))
    until("both Ready", lambda: ready(cluster, "one") and ready(cluster, "two"))
    query = {"source_sentence": "a cat sits", "sentences": ["a cat is sitting", "tax law of 1921"]}
    status, (near, far) = plane.ask("org/two", query)
    assert status == 200
    assert near > 0.8 > far
    assert plane.ask("org/one", "hello")[0] == 200


def test_a_model_whose_folder_is_missing_says_so_and_heals_when_it_comes(cluster: Cluster, plane: DataPlane) -> None:
    late = plane.claims / "models/late"
    apply(cluster, inference_model("one", "late"))
    until("the reason", lambda: condition(cluster, "one", "Ready").get("reason") == "SourceNotFound")
    assert "late" in condition(cluster, "one", "Ready")["message"]
    (plane.claims / "models/minilm").rename(late)
    try:
        until("Ready", lambda: ready(cluster, "one"), 90)
    finally:
        late.rename(plane.claims / "models/minilm")
