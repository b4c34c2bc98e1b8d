"""One gateway and one server with MiniLM, for all tests here."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.parts.minilm import Reference
from tests.integration.parts.serving import Server, Serving, digest, revision
from tools import minilm
from workloads.inference.config import Model, State


@pytest.fixture(scope="session")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mounted claims: `models`, with a good model, the same once more, and broken ones."""
    folder = tmp_path_factory.mktemp("claims")
    good = minilm.write(folder / "models/minilm")
    shutil.copytree(good, folder / "models/again")
    shutil.copytree(good, folder / "models/truncated")
    (folder / "models/truncated/model.onnx").write_bytes((good / "model.onnx").read_bytes()[:1_000_000])
    shutil.copytree(good, folder / "models/no-tokenizer")
    (folder / "models/no-tokenizer/tokenizer.json").unlink()
    return folder


def minilm_model(active: str = "minilm", also: tuple[str, ...] = (), **fields: Any) -> Model:
    """The object of the tests, with revisions that are folders of claim `models`."""
    revisions = tuple(revision(name, f"pvc://models/{name}") for name in (active, *also))
    model = Model("minilm", minilm.MODEL_ID, "feature-extraction", "onnx", digest(active), revisions)
    return replace(model, **fields)


@pytest.fixture(scope="session")
def _serving(tmp_path_factory: pytest.TempPathFactory, claims: Path) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("serving")
    running = Serving(folder, [Server(folder / "server", claims, 18001)])
    running.declare(minilm_model())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def serving(_serving: Serving) -> Serving:
    """The running parts, serving MiniLM and nothing else."""
    _serving.declare(minilm_model())
    _serving.server.until_state("minilm", State.LOADED)
    _serving.server.agent.until("nothing else loaded", lambda: len(_serving.server.stubs()) == 1)
    _serving.until_answers(minilm.MODEL_ID)
    return _serving


@pytest.fixture(scope="session")
def reference() -> Reference:
    return Reference()
