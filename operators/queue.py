"""The one queue that all handlers put keys on: level-based, one worker a key, capped and endless back-off."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

FIRST_RETRY: Final = 0.5
LAST_RETRY: Final = 60.0
STEADY: Final = 10.0
"""What a reconcile returns when all is as it ought to be: events may be lost."""

log = logging.getLogger(__name__)


class Queue(Generic[Key]):
    """Runs `reconcile(key)` for each key that was added, never twice at once for one key.

    A key that is added while its reconcile runs is run once more afterwards, however often it was added.
    `reconcile` returns after how many seconds it wants to be run again, or None for not before something happens.
    One that raises is run again after `FIRST_RETRY` seconds, then twice that, up to `LAST_RETRY`, without end.
    """

    def __init__(self, reconcile: Callable[[Key], Awaitable[float | None]]) -> None:
        self._reconcile = reconcile
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def add(self, key: Key, after: float = 0.0) -> None:
        """Ask for a reconcile of `key` in `after` seconds; an earlier one that is asked for already stands."""
        due = asyncio.get_running_loop().time() + after
        self._due[key] = min(due, self._due.get(key, due))
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled; what runs then is cancelled too."""
        try:
            while True:
                self._changed.clear()
                self._start_due()
                timeout = self._until_next()
                try:
                    await asyncio.wait_for(self._changed.wait(), timeout)
                except TimeoutError:
                    continue
        finally:
            for task in self._running.values():
                task.cancel()

    def _start_due(self) -> None:
        now = asyncio.get_running_loop().time()
        for key in [key for key, due in self._due.items() if due <= now and key not in self._running]:
            del self._due[key]
            self._running[key] = asyncio.create_task(self._work(key))

    def _until_next(self) -> float | None:
        waiting = [due for key, due in self._due.items() if key not in self._running]
        return max(0.0, min(waiting) - asyncio.get_running_loop().time()) if waiting else None

    async def _work(self, key: Key) -> None:
        try:
            again = await self._reconcile(key)
            self._failures.pop(key, None)
        except Exception as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            again = retry_after(failures)
            why = f"{type(error).__name__}: {error}"
            log.warning("reconcile of %s failed (%d in a row), again in %.0f s: %s", key, failures, again, why)
            log.debug("", exc_info=error)
        finally:
            del self._running[key]
            self._changed.set()
        if again is not None:
            self.add(key, again)


def retry_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(failures - 1, 16))
