"""One worker a key; a failure is tried again, later and later, without end."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from operators import queue as queue_module
from operators.queue import LAST_RETRY, Queue, retry_after


async def run_until(queue: Queue[str], condition: Callable[[], bool]) -> None:
    worker = asyncio.create_task(queue.run())
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)
    worker.cancel()


def recorder(calls: list[str], again: float | None = None) -> Callable[[str], Awaitable[float | None]]:
    async def reconcile(key: str) -> float | None:
        calls.append(key)
        return again

    return reconcile


async def test_a_key_that_is_added_often_is_reconciled_once() -> None:
    calls: list[str] = []
    queue: Queue[str] = Queue(recorder(calls))
    for _ in range(10):
        queue.add("a")
    queue.add("b")
    await run_until(queue, lambda: len(calls) >= 2)
    assert sorted(calls) == ["a", "b"]


async def test_a_key_never_runs_twice_at_once_and_once_more_if_it_was_added_meanwhile() -> None:
    running = most = runs = 0
    release = asyncio.Event()

    async def reconcile(key: str) -> float | None:
        nonlocal running, most, runs
        running, runs = running + 1, runs + 1
        most = max(most, running)
        await release.wait()
        running -= 1
        return None

    queue: Queue[str] = Queue(reconcile)
    queue.add("a")
    worker = asyncio.create_task(queue.run())
    async with asyncio.timeout(5):
        while not running:
            await asyncio.sleep(0)
        queue.add("a")
        queue.add("a")
        release.set()
        while runs < 2:
            await asyncio.sleep(0)
    worker.cancel()
    assert (most, runs) == (1, 2)


async def test_a_reconcile_that_asks_for_another_look_gets_it() -> None:
    calls: list[str] = []
    queue: Queue[str] = Queue(recorder(calls, again=0.0))
    queue.add("a")
    await run_until(queue, lambda: len(calls) >= 3)


async def test_one_that_fails_is_tried_again_until_it_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "FIRST_RETRY", 0.001)
    attempts = 0

    async def reconcile(key: str) -> float | None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise ConnectionError("the API server is away")
        return None

    queue: Queue[str] = Queue(reconcile)
    queue.add("a")
    await run_until(queue, lambda: attempts == 4)


def test_the_wait_doubles_up_to_a_cap_and_never_ends() -> None:
    waits = [retry_after(failures) for failures in range(1, 1000)]
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert waits == sorted(waits)
    assert waits[-1] == LAST_RETRY
