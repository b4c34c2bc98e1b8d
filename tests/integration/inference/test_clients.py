"""huggingface_hub's InferenceClient, three versions of it, gets its answers and its errors."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.inference.conftest import minilm_model
from tests.integration.parts.serving import Serving
from tools.environments import environment
from tools.minilm import MODEL_ID
from workloads.edge.document import token_hash

CLIENTS = ["client-hf-036", "client-hf-12", "client-hf-24"]
PROGRAM = Path(__file__).parent / "client.py"

pytestmark = pytest.mark.parametrize("client", CLIENTS)


def _call(client: str, url: str, call: str, *token: str) -> Any:
    command = [str(environment(client) / "bin/python"), str(PROGRAM), url, call, *token]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"HOME": "/nonexistent"})
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def _url(serving: Serving, path: str = "/models/{id}") -> str:
    return serving.url + path.format(id=MODEL_ID)


def test_a_text_is_embedded(serving: Serving, client: str) -> None:
    assert _call(client, _url(serving), "text")["answer"] == pytest.approx(
        serving.ask(MODEL_ID, {"inputs": "hello"}).json(), abs=1e-6
    )


@pytest.mark.parametrize(
    "path", ["/pipeline/feature-extraction/{id}", "/hf-inference/models/{id}/pipeline/feature-extraction"]
)
def test_texts_are_embedded_on_the_routes_of_the_hub(serving: Serving, client: str, path: str) -> None:
    answer = _call(client, _url(serving, path), "texts")["answer"]
    assert [len(row) for row in answer] == [384, 384]


def test_options_are_taken(serving: Serving, client: str) -> None:
    assert len(_call(client, _url(serving), "options")["answer"]) == 384


def test_similarities_are_given(serving: Serving, client: str) -> None:
    serving.declare(minilm_model(task="sentence-similarity"))
    serving.until("the other task", lambda: serving.ask(MODEL_ID, {"inputs": "a"}).status_code == 400)
    near, far = _call(client, _url(serving), "similarity")["answer"]
    assert 1 > near > 0.5 > far


def test_an_error_reaches_the_user_in_words(serving: Serving, client: str) -> None:
    found = _call(client, _url(serving), "too long")
    assert found["status"] == 400
    assert "has 302 tokens, the model takes 256" in found["message"]


def test_a_request_that_is_too_large_is_told_so(serving: Serving, client: str) -> None:
    found = _call(client, _url(serving), "large")
    assert found["status"] == 413
    assert "split the request" in found["message"]


def test_a_token_opens_its_model(serving: Serving, client: str) -> None:
    serving.declare(minilm_model(tokens=(token_hash("hf_mine"),)))
    serving.until("a token to be asked for", lambda: serving.ask(MODEL_ID, {"inputs": "a"}).status_code == 401)
    assert _call(client, _url(serving), "text")["status"] == 401
    assert len(_call(client, _url(serving), "text", "hf_mine")["answer"]) == 384
