"""What the configurations of all kinds have in common: how a document is read, and how tokens stand in it.

A kind's own `config.py` says what is in its document. Standard library only; a format changes only by adding, and
unknown fields are ignored, so that a program and an operator of neighbouring versions work together. A program that
meets a newer `formatVersion` keeps its last good copy.
"""

import hashlib
import json
from typing import Any, Final

PROBE_TOKEN_HEADER: Final = "x-homespun-probe"
"""Carries the operator's own token: a request with it passes access control."""
NOBODY: Final = "-"
"""Stands where a token ought to be but can't be found; equals no hash, so nobody gets in."""


class ConfigError(Exception):
    """The document is not a configuration that this program can read; the message says where and why."""


class NewerFormatError(ConfigError):
    """The document is of a newer format: keep the last good copy."""


def token_hash(token: str) -> str:
    """How a token stands in a configuration. Tokens are long and random, so a plain sha256 suffices."""
    return hashlib.sha256(token.encode()).hexdigest()


def render(document: dict[str, Any], version: int) -> str:
    """The text, in one canonical form: equal documents give equal text."""
    return json.dumps({"formatVersion": version, **document}, sort_keys=True, indent=1)


def read(text: str, newest: int) -> dict[str, Any]:
    """The document in a text. Raises NewerFormatError, and ValueError, TypeError or KeyError for what is none."""
    document: dict[str, Any] = json.loads(text)
    version = int(document["formatVersion"])
    if version > newest:
        raise NewerFormatError(f"formatVersion: expected at most {newest}, got {version}")
    return document


def known(kind: type, entry: dict[str, Any]) -> dict[str, Any]:
    """Of an entry, what a dataclass has a field for."""
    return {name: entry[name] for name in kind.__dataclass_fields__ if name in entry}  # type: ignore[attr-defined]
