"""Models come from a hub at a pinned commit: whole, verified, resumed after a cut, private ones with their token."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.inference.conftest import minilm_model
from tests.integration.parts.hub import COMMIT, Hub, Repository, read
from tests.integration.parts.serving import Server, Serving, revision
from tools.minilm import MODEL_ID
from workloads.inference.config import Failure, Model, State
from workloads.inference.sources import CHUNK_BYTES

PORT = 18500


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    hub = Hub(PORT)
    yield hub
    hub.stop()


@pytest.fixture
def serving_from_hub(serving: Serving, hub: Hub, claims: Path) -> Iterator[Serving]:
    """The agent with HF_ENDPOINT set to our hub, which has MiniLM beside much that nobody needs."""
    files = read(claims / "models/minilm")
    hub.repositories = {"org/minilm": Repository({**files, "pytorch_model.bin": b"x" * 2**20, "README.md": b"read"})}
    hub.sent.clear()
    hub.asked.clear()
    _restart_agent(serving.server, {"HF_ENDPOINT": hub.url, "HF_HUB_DOWNLOAD_TIMEOUT": "3"})
    yield serving
    serving.declare(minilm_model())
    _restart_agent(serving.server, {})


def _restart_agent(server: Server, variables: dict[str, str]) -> None:
    server.agent.kill()
    server.variables = variables
    server.start_agent()


def _model(commit: str = COMMIT, name: str = "org/minilm") -> Model:
    """MiniLM, about to be replaced by what is on the hub."""
    return minilm_model(revisions=(*minilm_model().revisions, revision("hub", f"hf://{name}", commit)))


def test_a_repository_is_fetched_at_its_commit_and_served(serving_from_hub: Serving, hub: Hub) -> None:
    serving_from_hub.declare(_model())
    serving_from_hub.server.until_state("hub", State.LOADED)
    assert hub.asked["model.onnx"] == 1
    assert "pytorch_model.bin" not in hub.asked
    assert "README.md" not in hub.asked


def test_a_fetch_that_is_cut_off_goes_on_where_it_was(serving_from_hub: Serving, hub: Hub) -> None:
    repository = hub.repositories["org/minilm"]
    size = len(repository.files["model.onnx"])
    repository.cut = {"model.onnx": size // 3}
    serving_from_hub.declare(_model())
    serving_from_hub.server.until_state("hub", State.LOADED, deadline=60)
    assert hub.asked["model.onnx"] >= 3
    cuts = hub.asked["model.onnx"] - 1
    assert hub.sent["model.onnx"] <= size + cuts * CHUNK_BYTES  # at most the chunk that was under way comes twice


def test_a_hub_that_breaks_off_is_told_and_tried_again(serving_from_hub: Serving, hub: Hub) -> None:
    repository = hub.repositories["org/minilm"]
    repository.cut = {"model.onnx": 0}
    serving_from_hub.declare(_model())
    held = serving_from_hub.server.until_state("hub", State.FAILED, deadline=90)
    assert held.reason is Failure.FETCH_FAILED
    assert held.message.startswith("source hf://org/minilm: the hub broke off or does not answer")
    assert serving_from_hub.ask(MODEL_ID, {"inputs": "a"}).status_code == 200
    repository.cut = {}
    serving_from_hub.server.until_state("hub", State.LOADED, deadline=60)


def test_a_file_that_is_not_what_was_announced_is_refused(serving_from_hub: Serving, hub: Hub) -> None:
    hub.repositories["org/minilm"].spoil = {"model.onnx"}
    serving_from_hub.declare(_model())
    held = serving_from_hub.server.until_state("hub", State.FAILED)
    assert held.reason is Failure.DIGEST_MISMATCH
    assert "model.onnx: expected" in held.message


def test_a_private_repository_without_a_token_is_denied(serving_from_hub: Serving, hub: Hub) -> None:
    hub.repositories["org/minilm"].token = "hf_secret"
    serving_from_hub.declare(_model())
    held = serving_from_hub.server.until_state("hub", State.FAILED)
    assert held.reason is Failure.ACCESS_DENIED
    assert "without a token: name one in spec.source.tokenSecretRef" in held.message


def test_a_gated_repository_is_denied(serving_from_hub: Serving, hub: Hub) -> None:
    hub.repositories["org/minilm"].gated = True
    serving_from_hub.declare(_model())
    assert serving_from_hub.server.until_state("hub", State.FAILED).reason is Failure.ACCESS_DENIED


def test_an_unknown_commit_is_not_found(serving_from_hub: Serving) -> None:
    serving_from_hub.declare(_model("f" * 40))
    assert serving_from_hub.server.until_state("hub", State.FAILED).reason is Failure.SOURCE_NOT_FOUND


def test_a_hub_that_is_away_is_told_and_tried_again(serving_from_hub: Serving, hub: Hub) -> None:
    _restart_agent(serving_from_hub.server, {"HF_ENDPOINT": "http://127.0.0.1:1"})
    serving_from_hub.declare(_model())
    assert serving_from_hub.server.until_state("hub", State.FAILED).reason is Failure.FETCH_FAILED
