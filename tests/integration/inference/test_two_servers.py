"""With two servers, the loss of one fails no request."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.inference.conftest import minilm_model
from tests.integration.parts.load import under_load
from tests.integration.parts.serving import Server, Serving
from tools.minilm import MODEL_ID
from workloads.inference.config import State


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, claims: Path) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("pair")
    pair = Serving(folder, [Server(folder / name, claims, port) for name, port in (("a", 19001), ("b", 19101))], 19080)
    pair.declare(minilm_model())
    pair.start()
    for server in pair.servers:
        server.until_state("minilm", State.LOADED)
    pair.until("both in the operator's sight", lambda: len(pair.state()) == 2)
    yield pair
    pair.stop()


def test_each_server_reports_for_itself(pair: Serving) -> None:
    assert {placement.server for placement in pair.state()} == {"127.0.0.1:19003", "127.0.0.1:19103"}


def test_a_killed_engine_fails_no_request(pair: Serving) -> None:
    with under_load(f"{pair.url}/models/{MODEL_ID}", {"inputs": "hello"}) as load:
        pair.until("some answers", lambda: len(load.statuses) > 20)
        pair.server.kill_triton()
        count = len(load.statuses)
        pair.until("more answers", lambda: len(load.statuses) > count + 50)
        pair.server.start_triton()
        pair.server.until_state("minilm", State.LOADED)
    assert load.failed == []


def test_a_server_that_leaves_fails_no_request(pair: Serving) -> None:
    both = pair.servers
    with under_load(f"{pair.url}/models/{MODEL_ID}", {"inputs": "hello"}) as load:
        pair.until("some answers", lambda: len(load.statuses) > 20)
        pair.servers = both[1:]
        pair.publish()
        pair.until("one left", lambda: len(pair.state()) == 1)
        count = len(load.statuses)
        pair.until("more answers", lambda: len(load.statuses) > count + 20)
        pair.servers = both
        pair.publish()
        pair.until("both again", lambda: len(pair.state()) == 2)
    assert load.failed == []
