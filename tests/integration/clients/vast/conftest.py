"""vast.ai's part, as new for each test, and our client for it."""

from collections.abc import Iterator

import pytest

from homespun.clients.rest import Service
from homespun.clients.vast.client import Vast
from tests.integration.parts.vast_api import ACCOUNT_KEY, VastApi


@pytest.fixture(scope="session")
def _vast_server() -> Iterator[VastApi]:
    api = VastApi()
    api.start()
    yield api
    api.stop()


@pytest.fixture
def vast_api(_vast_server: VastApi) -> VastApi:
    _vast_server.reset()
    return _vast_server


@pytest.fixture
def vast(vast_api: VastApi) -> Vast:
    """With an SSH key in the account, as for VMs it must be."""
    vast_api.market.ssh_keys.append("ssh-ed25519 AAAAC3Nz me@home")
    return client(vast_api.url)


ATTEMPTS = 6
"""After which our client gives up."""
NOBODY = "http://127.0.0.1:9"
"""Where nobody listens."""


def client(url: str, key: str = ACCOUNT_KEY, pace: float = 0.02) -> Vast:
    """A client that is in more of a hurry than one at vast.ai itself."""
    return Vast(Service("vast.ai", url, {"Authorization": f"Bearer {key}"}, attempts=ATTEMPTS, back_off=0.05), pace)
