"""A steady load: clients that ask as fast as they are answered, until told to stop."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2


@dataclass
class Load:
    """What came of the requests so far."""

    statuses: list[int] = field(default_factory=list)
    """Of each request; 0: no HTTP answer."""
    answers: list[Any] = field(default_factory=list)

    @property
    def failed(self) -> list[int]:
        return [status for status in self.statuses if status != 200]


@contextmanager
def under_load(url: str, body: Any, clients: int = 4) -> Iterator[Load]:
    load, stop = Load(), threading.Event()

    def ask() -> None:
        with httpx2.Client(timeout=40) as http:
            while not stop.is_set():
                try:
                    answer = http.post(url, json=body)
                except httpx2.HTTPError:
                    load.statuses.append(0)
                    continue
                load.statuses.append(answer.status_code)
                load.answers.append(answer.json())

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join()
