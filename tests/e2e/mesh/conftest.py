"""Three machines for the tests of this folder; gone before others begin."""

from collections.abc import Iterator

import pytest

from tests.e2e import web as web_servers
from tests.e2e.lab import Lab
from tests.e2e.mesh.trio import Pods, pods, running


@pytest.fixture(scope="package")
def trio() -> Iterator[Lab]:
    with running() as lab:
        yield lab


@pytest.fixture(scope="package")
def web(trio: Lab) -> Pods:
    """Web servers on all of them."""
    web_servers.everywhere(trio)
    return pods(trio)
