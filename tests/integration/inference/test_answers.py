"""Answers are those of the model, whatever the size and the company of a request."""

import numpy as np

from tests.integration.inference.texts import ANSWERED, SENTENCES
from tests.integration.parts.minilm import Reference
from tests.integration.parts.serving import Serving
from tools.minilm import MODEL_ID


def test_int8_answers_rank_as_the_fp32_weights_do(serving: Serving, reference: Reference) -> None:
    questions, passages = list(ANSWERED), list(ANSWERED.values())
    served = np.array(serving.ask(MODEL_ID, {"inputs": questions + passages}).json(), dtype=np.float32)
    expected = reference.embed(questions + passages)
    hits = (served[: len(questions)] @ served[len(questions) :].T).argmax(axis=1)
    expected_hits = (expected[: len(questions)] @ expected[len(questions) :].T).argmax(axis=1)
    assert hits.tolist() == expected_hits.tolist() == list(range(len(questions)))


def test_int8_answers_are_close_to_the_fp32_weights(serving: Serving, reference: Reference) -> None:
    served = np.array(serving.ask(MODEL_ID, {"inputs": SENTENCES}).json(), dtype=np.float32)
    cosines = (served * reference.embed(SENTENCES)).sum(axis=1)
    assert cosines.mean() > 0.98
    assert cosines.min() > 0.95


def test_a_text_gives_one_list_and_a_list_gives_lists(serving: Serving) -> None:
    one = serving.ask(MODEL_ID, {"inputs": "one"}).json()
    many = serving.ask(MODEL_ID, {"inputs": ["one"]}).json()
    assert len(one) == 384
    assert many == [one]


def test_embeddings_have_length_one_as_the_model_says(serving: Serving) -> None:
    served = np.array(serving.ask(MODEL_ID, {"inputs": SENTENCES[:5]}).json())
    np.testing.assert_allclose(np.linalg.norm(served, axis=1), 1, atol=1e-6)


def test_more_texts_than_a_batch_come_back_in_order(serving: Serving) -> None:
    served = np.array(serving.ask(MODEL_ID, {"inputs": SENTENCES}).json())
    assert len(served) == len(SENTENCES) == 100  # four batches
    for index in (0, 31, 32, 99):
        alone = np.array(serving.ask(MODEL_ID, {"inputs": SENTENCES[index]}).json())
        assert (served @ alone).argmax() == index


def test_long_texts_are_cut_to_the_window_and_counted(serving: Serving) -> None:
    answer = serving.ask(MODEL_ID, {"inputs": "word " * 1000})
    assert answer.status_code == 200
    assert answer.headers["x-compute-tokens"] == "256"


def test_long_texts_are_refused_if_they_must_not_be_cut(serving: Serving) -> None:
    answer = serving.ask(MODEL_ID, {"inputs": ["short", "word " * 1000], "truncate": False})
    assert answer.status_code == 400
    assert answer.json()["error"] == (
        "inputs: text 1 has 1002 tokens, the model takes 256: shorten it or allow `truncate`"
    )


def test_an_answer_says_what_it_cost(serving: Serving) -> None:
    answer = serving.ask(MODEL_ID, {"inputs": "hello"}, headers={"x-request-id": "mine"})
    assert 0 < float(answer.headers["x-compute-time"]) < 5
    assert answer.headers["x-compute-type"] == "cpu"
    assert answer.headers["x-compute-tokens"] == "3"
    assert answer.headers["x-request-id"] == "mine"


def test_texts_of_any_script_and_the_empty_one_are_embedded(serving: Serving) -> None:
    texts = ["", " ", "\u0000", "日本語", "مرحبا", "🙂", "a\nb"]
    answer = serving.ask(MODEL_ID, {"inputs": texts})
    assert answer.status_code == 200
    assert len(answer.json()) == len(texts)
