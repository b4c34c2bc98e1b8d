"""HuJSON, the format of tailnet policies: JSON with comments and trailing commas (github.com/tailscale/hujson)."""

import re
from typing import Final

_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_COMMENTS: Final = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMAS: Final = re.compile(rf"{_STRING}|,(?=\s*[\]}}])", re.DOTALL)


def standard(text: str) -> str:
    """The same as JSON: what JSON lacks becomes blanks, so that a parser's lines and columns are those of `text`."""
    return _TRAILING_COMMAS.sub(_blank, _COMMENTS.sub(_blank, text))


def _blank(found: re.Match[str]) -> str:
    token = found[0]
    return token if token.startswith('"') else re.sub(r"[^\n]", " ", token)
