"""The operator, and the objects that it is given."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.integration.conftest import HOST_ADDRESS
from tests.integration.operators.objects import delete_all
from tests.integration.parts import operator
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.process import Process
from tests.integration.parts.vector_plane import VectorPlane
from tests.waiting import answers
from tools.environments import environment

PAGE_PORT = 18190


@pytest.fixture(scope="session")
def running_operator(cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = operator.start(cluster, tmp_path_factory.mktemp("operator"))
    yield process
    process.stop()


@pytest.fixture
def resting_operator(running_operator: Process) -> Iterator[None]:
    """The shared operator does nothing meanwhile: the test brings its own."""
    os.kill(running_operator.pid, signal.SIGSTOP)
    yield
    os.kill(running_operator.pid, signal.SIGCONT)


@pytest.fixture
def no_objects(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Each test starts and ends without objects of ours."""
    delete_all(cluster)
    yield
    delete_all(cluster)


@pytest.fixture(scope="package")
def vector_plane(cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorPlane]:
    """The real Milvus, its agent and a gateway; gone before another package's Milvus wants its ports."""
    running = VectorPlane(cluster, tmp_path_factory.mktemp("vectors"), HOST_ADDRESS)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def page(cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's address, served with the rights of its table."""
    process = Process(
        [
            environment("serving") / "bin/python", "-m", "workloads.pages",
            f"--namespace={namespace}",
            f"--inference-gateway={operator.GATEWAY}",
            f"--vectors-gateway={operator.VECTORS_GATEWAY}",
            "--host=127.0.0.1",
            f"--port={PAGE_PORT}",
        ],
        tmp_path_factory.mktemp("page") / "page.log",
        {**os.environ, "KUBECONFIG": str(cluster.identity("page"))},
    )  # fmt: skip
    url = f"http://127.0.0.1:{PAGE_PORT}/"
    process.until("an answer", lambda: answers(f"{url}healthz"))
    yield url
    process.stop()
