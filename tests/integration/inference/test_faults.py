"""What dies is started again from what is there, and meanwhile nobody is left without an answer of some kind."""

import os
import signal

from tests.integration.inference.conftest import minilm_model
from tests.integration.parts.load import under_load
from tests.integration.parts.serving import Serving
from tools.minilm import MODEL_ID
from workloads.inference.config import Failure, State

BODY = {"inputs": "hello"}


def test_a_killed_engine_gets_its_models_again_from_local_files(serving: Serving) -> None:
    source = serving.server.claims / "models/minilm"
    with under_load(f"{serving.url}/models/{MODEL_ID}", BODY, clients=2) as load:
        serving.until("some answers", lambda: len(load.statuses) > 5)
        source.rename(source.with_name("away"))  # no source, no API server
        try:
            serving.server.kill_triton()
            serving.until("failures to be told", lambda: load.failed)
            serving.server.start_triton()
            serving.until_answers(MODEL_ID)
        finally:
            source.with_name("away").rename(source)
    assert set(load.failed) <= {502, 503}


def test_a_killed_process_of_a_model_is_healed(serving: Serving) -> None:
    (pid,) = serving.server.stubs().values()
    before = serving.server.placement("minilm")
    assert before
    os.kill(pid, signal.SIGKILL)
    serving.server.agent.until("another process", lambda: set(serving.server.stubs().values()) - {pid}, deadline=10)
    serving.until_answers(MODEL_ID, deadline=5)
    after = serving.server.placement("minilm")
    assert after
    assert after.loads == before.loads + 1


def test_another_model_answers_while_one_is_healed(serving: Serving) -> None:
    serving.declare(minilm_model(), minilm_model("again", name="other", model_id="other"))
    serving.until_answers("other")
    (pid,) = [pid for version, pid in serving.server.stubs().items() if version == minilm_model().revisions[0].version]
    with under_load(f"{serving.url}/models/other", BODY, clients=1) as load:
        os.kill(pid, signal.SIGKILL)
        serving.server.agent.until("a new process", lambda: len(set(serving.server.stubs().values()) - {pid}) == 2)
    assert load.failed == []


def test_a_restarted_agent_takes_over_what_is_loaded(serving: Serving) -> None:
    before = serving.server.stubs()
    with under_load(f"{serving.url}/models/{MODEL_ID}", BODY, clients=1) as load:
        serving.server.agent.kill()
        count = len(load.statuses)
        serving.until("answers without an agent", lambda: len(load.statuses) > count + 20)
        serving.server.start_agent()
        serving.server.until_state("minilm", State.LOADED)
    assert load.failed == []
    assert serving.server.stubs() == before


def test_a_restarted_gateway_answers_from_what_it_kept(serving: Serving) -> None:
    serving.gateway.kill()
    serving.start_gateway()
    serving.until_answers(MODEL_ID, deadline=5)


def test_a_newer_configuration_changes_nothing(serving: Serving) -> None:
    for folder in (serving.folder / "gateway", serving.server.folder / "agent"):
        (folder / "config.json").write_text('{"formatVersion": 99, "models": []}')
    serving.gateway.until("the refusal", lambda: "expected at most 1, got 99" in serving.gateway.log.read_text())
    serving.server.agent.until("the refusal", lambda: "got 99" in serving.server.agent.log.read_text())
    assert serving.ask(MODEL_ID, BODY).status_code == 200


def test_what_does_not_fit_is_refused_before_it_is_loaded(serving: Serving) -> None:
    before = serving.server.stubs()
    serving.server.agent.kill()
    serving.server.agent_arguments = ("--standalone", f"--memory-limit={300 * 2**20}")
    try:
        serving.server.start_agent()
        serving.declare(minilm_model(also=("again",)))
        held = serving.server.until_state("again", State.FAILED)
        assert held.reason is Failure.DOES_NOT_FIT
        assert "of the inference server's 300 MiB are free" in held.message
        assert serving.server.stubs() == before
        assert serving.ask(MODEL_ID, BODY).status_code == 200
    finally:
        serving.server.agent.kill()
        serving.server.agent_arguments = ("--standalone",)
        serving.server.start_agent()


def test_a_program_ends_in_time_when_told_to(serving: Serving) -> None:
    with under_load(f"{serving.url}/models/{MODEL_ID}", BODY, clients=1) as load:
        serving.until("some answers", lambda: len(load.statuses) > 5)
        serving.gateway.stop(grace=10)
        assert not serving.gateway.running()
        serving.start_gateway()
    assert set(load.failed) <= {0}  # no connection, but no wrong answer either
