"""Starting an HTTP server: uvicorn with limits that an open port needs."""

import asyncio
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_CONNECTIONS: Final = 512
"""Open connections; more are answered 503."""
HEAD_SECONDS: Final = 10.0
"""Within which a new connection has to bring the head of its first request."""
IDLE_SECONDS: Final = 75
"""How long a connection may idle between requests: longer than clients keep theirs, so that they close first."""
GRACE_SECONDS: Final = 20
"""How long requests in flight may take after SIGTERM; below the grace of a pod."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with the one time-out that it lacks: for the head of a request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, transport.abort)

    def on_message_begin(self) -> None:
        """A further request on the connection: start the clock again."""
        super().on_message_begin()
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def on_headers_complete(self) -> None:
        """The head is there: stop the clock. The body has a time-out of its own, in the program."""
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for."""
        self._stop()
        super().connection_lost(exc)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def serve(app: Any, host: str, port: int, grace_seconds: int = GRACE_SECONDS) -> None:
    """Run an ASGI app until SIGTERM, then let what is in flight finish."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        backlog=1024,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
    )
