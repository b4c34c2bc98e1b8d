"""Who may ask for what."""

import httpx2
import pytest

from tests.integration.inference.conftest import minilm_model
from tests.integration.parts.serving import PROBE_TOKEN, Serving, digest
from tools.minilm import MODEL_ID
from workloads.edge.document import PROBE_TOKEN_HEADER, token_hash
from workloads.inference.config import REVISION_HEADER, State

BODY = {"inputs": "a"}


@pytest.fixture
def guarded(serving: Serving) -> Serving:
    other = minilm_model(name="other", model_id="other/model", tokens=(token_hash("of-the-other"),))
    serving.declare(minilm_model(tokens=(token_hash("mine"),)), other)
    serving.until("a token to be asked for", lambda: serving.ask(MODEL_ID, BODY).status_code == 401)
    return serving


def test_no_token_is_unauthorized_and_told_the_scheme(guarded: Serving) -> None:
    answer = guarded.ask(MODEL_ID, BODY)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["error_type"] == "unauthorized"


@pytest.mark.parametrize(
    ("header", "status"),
    [("Bearer mine", 200), ("Bearer wrong", 401), ("Bearer of-the-other", 403), ("Basic mine", 401), ("Bearer", 401)],
)
def test_a_token_is_for_its_model(guarded: Serving, header: str, status: int) -> None:
    assert guarded.ask(MODEL_ID, BODY, headers={"authorization": header}).status_code == status


def test_the_operators_token_passes(guarded: Serving) -> None:
    assert guarded.ask(MODEL_ID, BODY, headers={PROBE_TOKEN_HEADER: PROBE_TOKEN}).status_code == 200


def test_a_wrong_probe_token_does_not(guarded: Serving) -> None:
    headers = {PROBE_TOKEN_HEADER: "wrong", "authorization": "Bearer mine"}
    assert guarded.ask(MODEL_ID, BODY, headers=headers).status_code == 401


def test_a_revision_can_be_named_with_the_operators_token_only(serving: Serving) -> None:
    serving.declare(minilm_model(also=("again",)))
    serving.server.until_state("again", State.LOADED)
    serving.until("both to be known", lambda: len(serving.state()) == 2)
    revision = {REVISION_HEADER: digest("again")}
    probe = {PROBE_TOKEN_HEADER: PROBE_TOKEN}
    assert serving.ask(MODEL_ID, BODY, headers=revision).status_code == 401
    assert serving.ask(MODEL_ID, BODY, headers={**revision, **probe}).status_code == 200
    assert serving.ask(MODEL_ID, BODY, headers={REVISION_HEADER: digest("no"), **probe}).status_code == 404


def test_the_state_of_the_agents_is_the_operators_alone(serving: Serving) -> None:
    assert httpx2.get(f"{serving.url}/-/state").status_code == 401
    assert httpx2.get(f"{serving.url}/-/state", headers={PROBE_TOKEN_HEADER: "wrong"}).status_code == 401
    assert [placement.server for placement in serving.state()] == ["127.0.0.1:18003"]


def test_the_list_of_models_has_no_secrets(guarded: Serving) -> None:
    answer = httpx2.get(f"{guarded.url}/models")
    assert {entry["id"] for entry in answer.json()} == {MODEL_ID, "other/model"}
    assert all(set(entry) == {"id", "task", "state"} for entry in answer.json())


def test_no_token_and_no_text_is_in_any_log(guarded: Serving) -> None:
    guarded.ask(MODEL_ID, {"inputs": "a very private sentence"}, headers={"authorization": "Bearer mine"})
    guarded.ask(MODEL_ID, {"inputs": "a very private sentence"}, headers={"authorization": "Bearer wrong-token"})
    logs = [guarded.gateway.log, guarded.server.agent.log, guarded.server.triton.log]
    text = "".join(log.read_text() for log in logs)
    for secret in ("very private", "wrong-token", "Bearer", PROBE_TOKEN):
        assert secret not in text


def test_what_there_is_not_is_not_found(serving: Serving) -> None:
    assert serving.ask("no/model", BODY).status_code == 404
    assert serving.ask(MODEL_ID, BODY, path="/nowhere/{id}").status_code == 404
    assert httpx2.get(f"{serving.url}/models/{MODEL_ID}").status_code == 405


def test_another_task_is_refused(serving: Serving) -> None:
    answer = serving.ask(MODEL_ID, BODY, path="/models/{id}/pipeline/text-generation")
    assert answer.status_code == 400
    assert "serves feature-extraction, got text-generation" in answer.json()["error"]


def test_the_status_is_told_as_the_inference_api_does(serving: Serving) -> None:
    assert httpx2.get(f"{serving.url}/status/{MODEL_ID}").json() == {
        "loaded": True, "state": "Loaded", "compute_type": "cpu", "framework": "onnx",
    }  # fmt: skip
