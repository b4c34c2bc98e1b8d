"""A new revision is switched to without a failed request; a broken one leaves the good one answering."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.operators.objects import apply, condition, get, inference_model
from tests.integration.operators.test_serving import ready
from tests.integration.parts.data_plane import DataPlane
from tests.integration.parts.kubernetes import Cluster
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("running_operator", "no_objects")


def active(cluster: Cluster) -> str:
    (model,) = get(cluster, "im")
    return str(model["status"]["revision"].get("active", {}).get("uri", ""))


@contextmanager
def requests(plane: DataPlane) -> Iterator[list[int]]:
    """One client that asks without a pause meanwhile; the statuses that it got."""
    statuses: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            statuses.append(plane.ask("org/one", "hello")[0])

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield statuses
    finally:
        over.set()
        client.join()


@pytest.fixture
def second(plane: DataPlane) -> Iterator[str]:
    """Another folder with good weights."""
    shutil.copytree(plane.claims / "models/minilm", plane.claims / "models/second")
    yield "second"
    shutil.rmtree(plane.claims / "models/second")


def test_a_switch_fails_no_request(cluster: Cluster, plane: DataPlane, second: str) -> None:
    apply(cluster, inference_model("one"))
    until("Ready", lambda: ready(cluster, "one"))
    with requests(plane) as statuses:
        until("some answers", lambda: len(statuses) > 20)
        apply(cluster, inference_model("one", second))
        until("the switch", lambda: active(cluster).endswith("second"))
        until("Ready again", lambda: condition(cluster, "one", "UpToDate").get("status") == "True")
        answered = len(statuses)
        until("answers of the new one", lambda: len(statuses) > answered + 20)
    assert set(statuses) == {200}


@pytest.mark.parametrize(
    ("broken", "reason", "told"),
    [
        ("nowhere", "SourceNotFound", "nowhere"),
        ("no-weights", "InvalidModel", "model.onnx"),
        ("no-onnx", "InvalidModel", "model.onnx"),
    ],
)
def test_a_broken_revision_leaves_the_good_one_answering(
    cluster: Cluster, plane: DataPlane, broken: str, reason: str, told: str
) -> None:
    folder = plane.claims / "models" / broken
    if broken != "nowhere":
        shutil.copytree(plane.claims / "models/minilm", folder)
        (folder / "model.onnx").unlink()
    if broken == "no-onnx":
        (folder / "model.onnx").write_text("these are no weights")
    apply(cluster, inference_model("one"))
    until("Ready", lambda: ready(cluster, "one"))
    with requests(plane) as statuses:
        apply(cluster, inference_model("one", broken))
        until("the reason", lambda: condition(cluster, "one", "UpToDate").get("reason") == reason)
        assert told in condition(cluster, "one", "UpToDate")["message"]
        assert ready(cluster, "one")
        assert active(cluster).endswith("minilm")
        apply(cluster, inference_model("one"))
        until("all well again", lambda: condition(cluster, "one", "UpToDate").get("status") == "True")
    assert set(statuses) == {200}
    shutil.rmtree(folder, ignore_errors=True)


def test_a_folder_that_is_mended_is_taken_up(cluster: Cluster, plane: DataPlane) -> None:
    folder = plane.claims / "models/mended"
    shutil.copytree(plane.claims / "models/minilm", folder)
    weights = (folder / "model.onnx").rename(folder / "kept")
    apply(cluster, inference_model("one", "mended"))
    until("the reason", lambda: condition(cluster, "one", "Ready").get("reason") == "InvalidModel")
    weights.rename(folder / "model.onnx")
    until("Ready, by the same declaration", lambda: ready(cluster, "one"))
    shutil.rmtree(folder)


def test_a_folder_with_another_digest_is_not_loaded(cluster: Cluster, plane: DataPlane) -> None:
    apply(cluster, inference_model("one"))
    until("Ready", lambda: ready(cluster, "one"))
    wrong = {"uri": "pvc://models/minilm", "revision": f"sha256:{'0' * 64}"}
    apply(cluster, inference_model("one", source=wrong))
    until("the reason", lambda: condition(cluster, "one", "UpToDate").get("reason") == "DigestMismatch")
    assert "sha256:0000" in condition(cluster, "one", "UpToDate")["message"]
    assert plane.ask("org/one", "hello")[0] == 200
