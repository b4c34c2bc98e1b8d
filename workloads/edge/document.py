"""What the configurations of all kinds have in common: how a document is read, and how tokens stand in it.

A kind's own `config.py` says what is in its document. Standard library only; a format changes only by adding, and
unknown fields are ignored, so that a program and an operator of neighbouring versions work together. A program that
meets a newer `formatVersion` keeps its last good copy.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Placement = TypeVar("Placement")

PROBE_TOKEN_HEADER: Final = "x-homespun-probe"
"""Carries the operator's own token: a request with it passes access control."""
MODEL_REVISION_HEADER: Final = "x-model-revision"
"""In a model's answer: the digest of the revision that gave it. Embeddings of two revisions must not be compared."""
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
    """The document in a text, to be read within `meaning`. Raises NewerFormatError, ValueError, TypeError, KeyError."""
    document: dict[str, Any] = json.loads(text)
    version = int(document["formatVersion"])
    if version > newest:
        raise NewerFormatError(f"formatVersion: expected at most {newest}, got {version}")
    return document


@contextmanager
def meaning(what: str) -> Iterator[None]:
    """Within, a text is read as `what`, such as "a configuration". Raises ConfigError for one that is none."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"not {what}: {type(error).__name__}: {error}") from error


def render_placements(placements: Iterable["DataclassInstance"]) -> str:
    """What `GET /state` of an agent answers, and `GET /-/state` of a gateway for all its servers."""
    return json.dumps({"placements": [asdict(placement) for placement in placements]})


def parse_placements(text: str, placement: Callable[[dict[str, Any]], Placement]) -> tuple[Placement, ...]:
    """The placements in an answer, each read by `placement`. Raises ConfigError."""
    with meaning("a list of placements"):
        return tuple(placement(entry) for entry in json.loads(text)["placements"])


def known(kind: type, entry: dict[str, Any]) -> dict[str, Any]:
    """Of an entry, what a dataclass has a field for."""
    return {name: entry[name] for name in kind.__dataclass_fields__ if name in entry}  # type: ignore[attr-defined]
