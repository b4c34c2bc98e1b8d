"""Waiting on conditions, never on time."""

import time
from collections.abc import Callable

import httpx2


def until(what: str, condition: Callable[[], object], deadline: float = 90) -> None:
    """Wait for a condition, or fail by its name after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, f"expected within {deadline:.0f} s: {what}"
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether a server answers there, with 200."""
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.HTTPError:
        return False
