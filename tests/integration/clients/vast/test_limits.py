"""vast.ai is not asked more often than it says."""

import threading

import pytest

from homespun.clients.errors import Exhausted
from homespun.clients.rest import Service
from homespun.clients.vast.client import Vast
from tests.integration.clients.vast.conftest import client
from tests.integration.parts.vast_api import ACCOUNT_KEY, VastApi


def test_calls_of_several_threads_are_far_enough_apart(vast_api: VastApi) -> None:
    vast_api.scale = 0.2
    vast = client(vast_api.url, pace=0.6)  # three times that: a busy machine may hand one over late
    threads = [threading.Thread(target=vast.instances) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (vast_api.asked["list"], vast_api.too_soon["list"]) == (4, 0)


def test_who_does_not_wait_is_refused(vast_api: VastApi) -> None:
    """The server does mind: else the test above would say nothing."""
    vast_api.scale = 1
    hasty = Vast(Service("vast.ai", vast_api.url, {"Authorization": f"Bearer {ACCOUNT_KEY}"}, attempts=1), pace=0)
    hasty.account()
    with pytest.raises(Exhausted, match=r"too frequent endpoint threshold=2\.0"):
        hasty.account()
