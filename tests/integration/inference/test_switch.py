"""A new revision replaces the old one without a failed request; a broken one replaces nothing."""

from dataclasses import replace

import httpx2

from tests.integration.inference.conftest import minilm_model
from tests.integration.parts.load import under_load
from tests.integration.parts.serving import Serving, revision
from tools.minilm import MODEL_ID
from workloads.inference.config import Failure, State


def test_a_switch_under_load_fails_no_request(serving: Serving) -> None:
    with under_load(f"{serving.url}/models/{MODEL_ID}", {"inputs": "hello"}) as load:
        serving.until("some answers", lambda: len(load.statuses) > 20)
        serving.declare(minilm_model(also=("again",)))
        serving.server.until_state("again", State.LOADED)
        serving.until(
            "the gateway's word of it", lambda: len([p for p in serving.state() if p.state is State.LOADED]) == 2
        )
        serving.declare(minilm_model("again", also=("minilm",)))
        serving.declare(minilm_model("again"))
        serving.until("the old one to be gone", lambda: len(serving.server.stubs()) == 1)
        count = len(load.statuses)
        serving.until("more answers", lambda: len(load.statuses) > count + 20)
    assert load.failed == []
    assert len({answer[0] for answer in load.answers}) == 1  # the same weights: the same answer throughout


def test_a_gateway_that_has_not_heard_of_the_switch_still_gets_its_answers(serving: Serving) -> None:
    serving.declare(minilm_model(also=("again",)))
    serving.server.until_state("again", State.LOADED)
    serving.until("the gateway's word of it", lambda: len([p for p in serving.state() if p.state is State.LOADED]) == 2)
    with under_load(f"{serving.url}/models/{MODEL_ID}", {"inputs": "hello"}, clients=1) as load:
        log = serving.server.agent.log
        documents = log.read_text().count("new document")
        serving.declare_to_agents(minilm_model("again"))
        serving.server.agent.until("the agent to hear", lambda: log.read_text().count("new document") > documents)
        count = len(load.statuses)
        serving.until("more answers", lambda: len(load.statuses) > count + 20)
        serving.declare(minilm_model("again"))
        serving.until("the old one to be gone", lambda: len(serving.server.stubs()) == 1)
    assert load.failed == []


def test_adding_a_revision_leaves_the_old_ones_process_alone(serving: Serving) -> None:
    before = serving.server.stubs()
    serving.declare(minilm_model(also=("again",)))
    serving.server.until_state("again", State.LOADED)
    assert before.items() <= serving.server.stubs().items()


def test_a_broken_revision_leaves_the_old_one_answering(serving: Serving) -> None:
    before = serving.server.stubs()
    with under_load(f"{serving.url}/models/{MODEL_ID}", {"inputs": "hello"}, clients=1) as load:
        serving.declare(minilm_model(also=("truncated",)))
        held = serving.server.until_state("truncated", State.FAILED)
        count = len(load.statuses)
        serving.until("more answers", lambda: len(load.statuses) > count + 20)
    assert load.failed == []
    assert held.reason is Failure.INVALID_MODEL
    assert held.message.startswith("model minilm: model.onnx: onnxruntime can't read it:")
    # The broken one's process ends soon after Triton has said that it failed.
    serving.server.agent.until("the old one's process alone", lambda: serving.server.stubs() == before)


def test_a_missing_file_is_named(serving: Serving) -> None:
    serving.declare(minilm_model(also=("no-tokenizer",)))
    held = serving.server.until_state("no-tokenizer", State.FAILED)
    assert held.reason is Failure.INVALID_MODEL
    assert held.message == "model minilm: expected tokenizer.json in the model's folder, found none"


def test_a_mended_declaration_is_tried_at_once(serving: Serving) -> None:
    serving.declare(minilm_model(also=("no-tokenizer",)))
    serving.server.until_state("no-tokenizer", State.FAILED)
    serving.declare(minilm_model(also=("again",)))
    serving.server.until_state("again", State.LOADED, deadline=5)


def test_a_wrong_digest_is_told_with_what_was_found(serving: Serving) -> None:
    wrong = revision("wrong", "pvc://models/again", "sha256:" + "0" * 64)
    model = minilm_model()
    serving.declare(minilm_model(revisions=(*model.revisions, wrong)))
    held = serving.server.until_state("wrong", State.FAILED)
    assert held.reason is Failure.DIGEST_MISMATCH
    assert f"expected sha256:{'0' * 64}, found sha256:" in held.message


def test_new_batch_settings_reach_the_engine_without_a_failed_request(serving: Serving) -> None:
    before = serving.server.placement("minilm")
    assert before
    with under_load(f"{serving.url}/models/{MODEL_ID}", {"inputs": ["a", "b", "c"]}, clients=2) as load:
        serving.declare(minilm_model(max_batch_size=2))

        def loaded_again() -> bool:
            held = serving.server.placement("minilm")
            return held is not None and held.loads == before.loads + 1

        serving.server.agent.until("another load", loaded_again)
        count = len(load.statuses)
        serving.until("more answers", lambda: len(load.statuses) > count + 20)
    assert load.failed == []


def test_a_model_that_is_deleted_leaves_nothing(serving: Serving) -> None:
    serving.declare()
    serving.server.agent.until("no process", lambda: not serving.server.stubs())
    repository = serving.server.folder / "repository"
    serving.server.agent.until("no files", lambda: not [path for path in repository.rglob("*") if path.is_file()])
    assert serving.ask(MODEL_ID, {"inputs": "a"}).status_code == 404
    assert httpx2.get(f"{serving.url}/models").json() == []


def test_a_model_before_its_first_revision_is_loading(serving: Serving) -> None:
    revisions = (revision("truncated", "pvc://models/truncated"),)
    new = replace(minilm_model(name="new", model_id="new", revisions=revisions), active="")
    serving.declare(minilm_model(), new)
    serving.until("it to be known", lambda: serving.ask("new", {"inputs": "a"}).status_code != 404)
    answer = serving.ask("new", {"inputs": "a"})
    assert answer.status_code == 503
    assert answer.json()["error_type"] == "loading"
    assert answer.json()["estimated_time"] > 0
    assert int(answer.headers["retry-after"]) >= 1
