"""Waiting for a cluster, with its reasons on the progress line."""

import time
from collections.abc import Callable
from typing import Final

from tools import screen

PAUSE: Final = 0.2


def wait(lacking: Callable[[], str], what: str, seconds: float) -> str:
    """Ask what is lacking until it is nothing; '' then, and after `seconds` what it was last."""
    end = time.monotonic() + seconds
    while (why := lacking()) and time.monotonic() <= end:
        screen.line(f"{what}  {why}")
        time.sleep(PAUSE)
    return why
