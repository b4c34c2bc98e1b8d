"""Reading a request's body: bounded in size and time, and strict JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final, NoReturn

from workloads.edge.errors import BodyTimeout, BodyTooLarge, InvalidRequest, UnsupportedEncoding

MAX_BYTES: Final = 2 * 2**20
MAX_SECONDS: Final = 20.0
MAX_DEPTH: Final = 32
"""Levels of lists and objects in a body."""


async def read(headers: dict[str, str], chunks: AsyncIterator[bytes], seconds: float = MAX_SECONDS) -> bytes:
    """The whole body.

    `headers` have lower-case names. Raises UnsupportedEncoding, BodyTooLarge (at once if the length is announced,
    else as soon as too much has come) and BodyTimeout.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedEncoding(f"content-encoding: expected identity, got {encoding[:40]!r}: send the body as it is")
    announced = headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_BYTES:
                    raise _too_large()
    except TimeoutError as error:
        raise BodyTimeout(f"body: expected all of it within {seconds:.0f} s, got {len(body)} bytes") from error
    return bytes(body)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Refused is what JSON readers disagree on (NaN, the same key twice) and what only an attack needs (depth, endless
    numbers). Raises InvalidRequest.
    """
    if not body:
        raise InvalidRequest("body: expected a JSON object, got nothing")
    try:
        document = json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_object)
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is no text
        _check_depth(document)
    except UnicodeError as error:
        raise InvalidRequest("body: expected JSON in UTF-8, got other bytes or half a surrogate pair") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # of the json module, of an int with too many digits, of the hooks below
        raise InvalidRequest(f"body: expected a JSON object: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest(f"body: expected a JSON object, got a {type(document).__name__}")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has the same key twice")
    return found


def _check_depth(document: Any) -> None:
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep()
        level = [
            child
            for node in level
            if isinstance(node, list | dict)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, list | dict)
        ]


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"body: expected at most {MAX_DEPTH} levels of JSON, got more")


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"body: expected at most {MAX_BYTES} bytes, got more: split the request")
