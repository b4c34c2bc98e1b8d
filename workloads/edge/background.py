"""Tasks that run as long as a program serves."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)


@asynccontextmanager
async def background(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these beside the server. None of them ends by itself: if one does, so does the program, to be restarted."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    for task in tasks:
        task.add_done_callback(_end_program)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _end_program(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        log.critical("a background task ended", exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)
