"""HuJSON, the format of tailnet policies: JSON with comments and trailing commas (github.com/tailscale/hujson)."""

import json
import re
from collections.abc import Iterator
from typing import Final

_DECODER: Final = json.JSONDecoder()
_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_COMMENTS: Final = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMAS: Final = re.compile(rf"{_STRING}|,(?=\s*[\]}}])", re.DOTALL)


def standard(text: str) -> str:
    """The same as JSON: what JSON lacks becomes blanks, so that a parser's lines and columns are those of `text`."""
    return _TRAILING_COMMAS.sub(_blank, _COMMENTS.sub(_blank, text))


def comments(text: str) -> Iterator[tuple[int, int]]:
    """Where each comment begins and ends."""
    return (found.span() for found in _COMMENTS.finditer(text) if not found[0].startswith('"'))


def fields(plain: str, start: int) -> dict[str, int]:
    """Where the values of the object at `start` begin, by their names in lower case: Go, which reads policies, makes
    no difference. `plain` is JSON that a parser has read. Raises ValueError for a name that is there twice.
    """
    found: dict[str, int] = {}
    at = _next(plain, start + 1)
    while plain[at] != "}":
        name, at = _DECODER.raw_decode(plain, at)
        at = _next(plain, _next(plain, at) + 1)  # past the colon
        if name.lower() in found:
            raise ValueError(f"expected {name} once, found it twice")
        found[name.lower()] = at
        at = _next(plain, _DECODER.raw_decode(plain, at)[1])
        at = _next(plain, at + 1) if plain[at] == "," else at
    return found


def _next(plain: str, at: int) -> int:
    """Where the next token begins."""
    return len(plain) - len(plain[at:].lstrip(" \t\r\n"))


def _blank(found: re.Match[str]) -> str:
    token = found[0]
    return token if token.startswith('"') else re.sub(r"[^\n]", " ", token)
