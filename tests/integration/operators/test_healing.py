"""What dies is healed, and what died meanwhile does not take the answers with it."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.integration.operators.objects import apply, condition, get, inference_model
from tests.integration.operators.test_serving import ready
from tests.integration.parts import operator
from tests.integration.parts.data_plane import DataPlane
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.process import Process
from tests.waiting import until


@pytest.fixture
def own_operator(
    cluster: Cluster, no_objects: None, resting_operator: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """An operator that a test may stop."""
    process = operator.start(cluster, tmp_path_factory.mktemp("own-operator"), health_port=18095)
    yield process
    process.stop()


def loads(cluster: Cluster) -> int:
    (model,) = get(cluster, "im")
    return int(model["status"]["placements"][0]["loads"])


@pytest.mark.usefixtures("running_operator", "no_objects")
def test_a_killed_triton_is_loaded_again_and_ready_is_earned_anew(cluster: Cluster, plane: DataPlane) -> None:
    apply(cluster, inference_model("one"))
    until("Ready", lambda: ready(cluster, "one"))
    before = loads(cluster)
    plane.server.triton.kill()
    until("the loss seen", lambda: not ready(cluster, "one"))
    plane.server.start_triton()
    until("Ready again", lambda: ready(cluster, "one"))
    assert loads(cluster) > before
    assert plane.ask("org/one", "hello")[0] == 200


@pytest.mark.usefixtures("running_operator", "no_objects")
def test_a_killed_backend_process_is_started_anew(cluster: Cluster, plane: DataPlane) -> None:
    apply(cluster, inference_model("one"))
    until("Ready", lambda: ready(cluster, "one"))
    before = loads(cluster)
    (stub,) = plane.server.stubs().values()
    os.kill(stub, signal.SIGKILL)
    until("another engine", lambda: loads(cluster) > before)
    until("Ready again", lambda: ready(cluster, "one"))
    assert plane.ask("org/one", "hello")[0] == 200


@pytest.mark.usefixtures("running_operator", "no_objects")
def test_a_restarted_agent_finds_what_is_loaded(cluster: Cluster, plane: DataPlane) -> None:
    apply(cluster, inference_model("one"))
    until("Ready", lambda: ready(cluster, "one"))
    plane.server.agent.kill()
    assert plane.ask("org/one", "hello")[0] == 200
    plane.server.start_agent()
    until("Ready again", lambda: ready(cluster, "one"))


def test_without_operator_and_api_server_models_answer_through_a_restart_of_the_engine(
    cluster: Cluster, plane: DataPlane, own_operator: Process
) -> None:
    apply(cluster, inference_model("one"))
    until("Ready", lambda: ready(cluster, "one"))
    own_operator.stop()
    cluster.stop_api_server()
    try:
        assert plane.ask("org/one", "hello")[0] == 200
        plane.server.triton.kill()
        plane.server.agent.kill()
        plane.server.start_triton()
        plane.server.start_agent()
        until("answers", lambda: plane.ask("org/one", "hello")[0] == 200)
    finally:
        cluster.start_api_server()


def test_what_was_declared_while_the_operator_was_down_is_done_when_it_is_back(
    cluster: Cluster, plane: DataPlane, own_operator: Process
) -> None:
    own_operator.stop()
    apply(cluster, inference_model("one"))
    again = operator.start(cluster, own_operator.log.parent, health_port=18095)
    try:
        until("Ready", lambda: ready(cluster, "one"))
        assert condition(cluster, "one", "Ready")["observedGeneration"] == 1
    finally:
        again.stop()
