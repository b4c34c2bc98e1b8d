"""A value that others follow: told at once, or as soon as it is another one (a long poll)."""

import asyncio
import re
import secrets
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

T = TypeVar("T")

MAX_WAIT_SECONDS: Final = 30
NOTHING: Final = '""'
"""The ETag until something was published; it can be waited on like another."""


class Published(Generic[T]):
    """The value, and an ETag that is another one for each other value, over restarts too."""

    def __init__(self, value: T) -> None:
        self.value = value
        self.etag = NOTHING
        self._changed = asyncio.Condition()

    async def publish(self, value: T) -> None:
        """Tell those who wait, if it is another one."""
        if value == self.value and self.etag != NOTHING:
            return
        self.value, self.etag = value, f'"{secrets.token_hex(8)}"'
        async with self._changed:
            self._changed.notify_all()

    async def after(self, etag: str, seconds: float) -> None:
        """Wait until it is another one than that of `etag`, for at most so long."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self.etag != etag)
        except TimeoutError:
            pass

    def route(self, path: str, render: Callable[[T], str]) -> Route:
        """GET the value as JSON; `If-None-Match` with `Prefer: wait=N` (RFC 7240) holds the answer for news."""

        async def get(request: Request) -> Response:
            known = request.headers.get("if-none-match", "")
            if known and (wait := wanted_wait(request.headers.get("prefer", ""))):
                await self.after(known, wait)
            if known and known == self.etag:
                return Response(status_code=304, headers={"etag": self.etag})
            return Response(render(self.value), media_type="application/json", headers={"etag": self.etag})

        return Route(path, get)


def wanted_wait(prefer: str) -> int:
    """Seconds in a Prefer header, at most MAX_WAIT_SECONDS; 0 if it names none."""
    found = re.search(r"\bwait=(\d{1,4})\b", prefer)
    return min(int(found[1]), MAX_WAIT_SECONDS) if found else 0
