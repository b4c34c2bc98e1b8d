"""The exception tree of the gateways and the one table that turns it into answers.

Bodies, unless a gateway forms its own, are those of Hugging Face's servers (text-generation-inference,
text-embeddings-inference): `error` for people, `error_type` for programs.
"""

import json
from typing import Any, ClassVar


class EdgeError(Exception):
    """A request can't be answered; the message goes to the client."""

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal"

    def headers(self) -> dict[str, str]:
        """Headers that belong to this answer."""
        return {}

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        return {"error": str(self), "error_type": self.kind}


class InvalidRequest(EdgeError):
    """What was sent is not what this route takes."""

    status, kind = 400, "validation"


class Unauthorized(EdgeError):
    """A token is needed and none was given, or none that is known."""

    status, kind = 401, "unauthorized"

    def headers(self) -> dict[str, str]:
        """The challenge that RFC 6750 asks for."""
        return {"www-authenticate": "Bearer"}


class Forbidden(EdgeError):
    """The token is known, but not for this."""

    status, kind = 403, "forbidden"


class NotFound(EdgeError):
    """There is no such thing here."""

    status, kind = 404, "not_found"


class MethodNotAllowed(EdgeError):
    """The route exists, for another method."""

    status, kind = 405, "method_not_allowed"


class BodyTimeout(EdgeError):
    """The body did not arrive in time."""

    status, kind = 408, "timeout"

    def headers(self) -> dict[str, str]:
        """What is left of the body is not waited for."""
        return {"connection": "close"}


class Conflict(EdgeError):
    """There is such a thing already."""

    status, kind = 409, "conflict"


class BodyTooLarge(EdgeError):
    """The body is larger than any sensible request."""

    status, kind = 413, "too_large"

    def headers(self) -> dict[str, str]:
        """What is left of the body is not read."""
        return {"connection": "close"}


class UnsupportedEncoding(EdgeError):
    """The body is compressed; how large it would become can't be told."""

    status, kind = 415, "unsupported_encoding"


class EngineFailed(EdgeError):
    """The engine broke off or answered what can't be used."""

    status, kind = 502, "backend"


class NotReady(EdgeError):
    """It exists but does not answer yet."""

    status, kind = 503, "loading"

    def __init__(self, message: str, estimated_time: float) -> None:
        super().__init__(message)
        self.estimated_time = estimated_time

    def headers(self) -> dict[str, str]:
        """When to come back, in whole seconds."""
        return {"retry-after": str(max(1, round(self.estimated_time)))}

    def body(self) -> dict[str, Any]:
        """As the Inference API says it: `estimated_time` in seconds."""
        return {**super().body(), "estimated_time": self.estimated_time}


class EngineTimeout(EdgeError):
    """The engine did not answer in time."""

    status, kind = 504, "timeout"


class Internal(EdgeError):
    """A defect of ours; the log has the details."""


def answer(error: EdgeError, body: dict[str, Any] | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer; `body` in place of the error's own."""
    content = json.dumps(error.body() if body is None else body).encode()
    return error.status, {"content-type": "application/json", **error.headers()}, content
