"""Around every request of a gateway: an id, one line in the log, errors as JSON."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workloads.edge import errors

REQUEST_ID: Final = re.compile(r"[\w.:=;-]{1,128}", re.ASCII)
ID_HEADERS: Final = (b"x-request-id", b"x-amzn-trace-id")
"""What clients name a request by; the second is huggingface_hub's."""
QUIET: Final = frozenset({"/healthz", "/readyz", "/-/state"})
"""Asked by machines, each few seconds: logged only when they fail."""

log = logging.getLogger(__name__)


class RequestLog:
    """ASGI middleware: gives each request an id (`x-request-id`), and logs it without payload, query or token.

    A handler adds to the line by `request.state.log`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        request_id = given_id(dict(scope["headers"])) or uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["log"] = {}
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            if status >= 400 or scope["path"] not in QUIET:
                line = {"method": scope["method"], "path": scope["path"][:200], "status": status, **state["log"]}
                seconds = round(time.monotonic() - started, 4)
                log.info("request", extra={"request_id": request_id, "seconds": seconds, **line})


def given_id(headers: dict[bytes, bytes]) -> str:
    """The id that the client gave the request, '' if it gave none that can stand in a log."""
    for name in ID_HEADERS:
        given = headers.get(name, b"").decode("latin-1")
        if REQUEST_ID.fullmatch(given):
            return given
    return ""


Handler = Callable[[Request, Exception], Response]
Shape = Callable[[Request, errors.EdgeError], dict[str, Any]]
"""The JSON of an error's answer."""


def exception_handlers(shape: Shape = lambda request, error: error.body()) -> dict[Any, Handler]:
    """What Starlette is to do with each exception; the answers have the shape of the API that a gateway speaks."""

    def told(request: Request, error: errors.EdgeError) -> Response:
        status, headers, body = errors.answer(error, shape(request, error))
        request.state.log |= {"error_type": error.kind, "error": str(error)[:300]}
        return Response(body, status, headers)

    def edge_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.EdgeError)
        return told(request, error)

    def group(request: Request, error: Exception) -> Response:
        """Parts of a request failed side by side: the first of them answers for it."""
        first = error
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        return told(request, first) if isinstance(first, errors.EdgeError) else defect(request, first)

    def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            return told(request, errors.MethodNotAllowed(f"{request.method} is not for this route"))
        return told(request, errors.NotFound("there is no such route"))

    def gone(request: Request, error: Exception) -> Response:
        return told(request, errors.InvalidRequest("body: the client went away before it was complete"))

    def defect(request: Request, error: Exception) -> Response:
        log.error("a defect", exc_info=error)
        return told(request, errors.Internal("internal error; the gateway's log has the details"))

    return {
        errors.EdgeError: edge_error,
        ExceptionGroup: group,
        ClientDisconnect: gone,
        HTTPException: http_error,
    }
