"""Entries of ours in somebody's HuJSON, each lot between two comments: put in, found again, taken out.

All else stays byte for byte. They come first in their object or list, each with a comma behind it, which HuJSON lets
the last one have too: so nothing of what was there has to change, not even a comma.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from homespun.clients import hujson
from stacks.mesh.errors import MeshError

Entries = Mapping[str, Any] | Sequence[Any]
"""Of an object, or of a list."""


def begin(owner: str) -> str:
    """The comment before what is the owner's."""
    return f"/* Homespun {owner}: begin (what is between here and its end is written anew, and goes with it) */"


def end(owner: str) -> str:
    """The comment behind it."""
    return f"/* Homespun {owner}: end */"


def owners(text: str) -> set[str]:
    """Whose entries there are."""
    starts = (re.match(r"/\* Homespun (\S+): begin", text[start:]) for start, _ in hujson.comments(text))
    return {found[1] for found in starts if found}


def added(text: str, owner: str, sections: Mapping[tuple[str, ...], Entries]) -> str:
    """With the owner's entries, in a text that has none of theirs, by the names that lead to the object or list.

    What is missing on the way there is made, and is the owner's too. Raises MeshError where there is something else.
    """
    document, plain = read(text), hujson.standard(text)
    lots: defaultdict[int, list[str]] = defaultdict(list)
    for path, entries in sections.items():
        at, missing = _place(document, plain, path, entries)
        lots[at] += _lines(reduce(lambda inner, name: {name: inner}, reversed(missing), entries))
    for at in sorted(lots, reverse=True):
        text = text[: at + 1] + _lot(text, at + 1, owner, lots[at]) + text[at + 1 :]
    return text


def removed(text: str, owner: str) -> str:
    """Without the owner's entries. Raises MeshError where a mark has lost its other half."""
    kept, last, plain = [], 0, hujson.standard(text)
    for start, stop in _spans(text, owner):
        bracket = len(text[:start].rstrip())
        # The line's end and the indentation that came with it go too, unless somebody has put something in between.
        kept.append(text[last : bracket if plain[bracket - 1] in "{[" else start])
        last = stop
    return "".join(kept) + text[last:]


def part(text: str, owner: str) -> str:
    """The owner's entries as they stand there, marks and all; '' where there are none. Raises MeshError."""
    return "\n".join(text[start:stop] for start, stop in _spans(text, owner))


def read(text: str) -> dict[str, Any]:
    """What it says. Raises MeshError."""
    try:
        document = json.loads(hujson.standard(text))
    except ValueError as error:
        raise MeshError(f"the tailnet's policy: expected HuJSON, found: {error}") from error
    if not isinstance(document, dict):
        raise MeshError(f"the tailnet's policy: expected an object, found {type(document).__name__}")
    return document


def value(document: Mapping[str, Any], path: Iterable[str]) -> Any:
    """What is there by these names, in whatever case; None where nothing is."""
    found: Any = document
    for name in path:
        by_name = {key.lower(): one for key, one in found.items()} if isinstance(found, dict) else {}
        found = by_name.get(name.lower())
    return found


def _place(
    document: Mapping[str, Any], plain: str, path: tuple[str, ...], entries: Entries
) -> tuple[int, tuple[str, ...]]:
    """The bracket after which entries belong, and the names that are missing from there on."""
    at = plain.index("{")
    for depth, name in enumerate(path):
        try:
            there = hujson.fields(plain, at)
        except ValueError as error:
            raise MeshError(f"the tailnet's policy: {error}; make one of it") from error
        if name.lower() not in there:
            return at, path[depth:]
        at = there[name.lower()]
        kind = dict if depth + 1 < len(path) or isinstance(entries, Mapping) else list
        if not isinstance(found := value(document, path[: depth + 1]), kind):
            expected = "an object" if kind is dict else "a list"
            raise MeshError(
                f"the tailnet's policy: {'.'.join(path[: depth + 1])}: expected {expected}, found {json.dumps(found)}"
            )
    return at, ()


def _lines(entries: Entries) -> list[str]:
    if isinstance(entries, Mapping):
        return [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in entries.items()]
    return [json.dumps(one) for one in entries]


def _lot(text: str, at: int, owner: str, lines: Iterable[str]) -> str:
    """Each on a line of its own, indented like the next one."""
    following = re.compile(r"[^\n]*\n([ \t]*)(.?)").match(text, at)
    indentation = f"{following[1]}{chr(9) if following[2] in ('}', ']') else ''}" if following else "\t"
    line = ("\r\n" if "\r\n" in text else "\n") + indentation
    return line + line.join([begin(owner), *(f"{one}," for one in lines), end(owner)])


def _spans(text: str, owner: str) -> Iterator[tuple[int, int]]:
    """Of each lot, marks and all."""
    start = None
    for first, last in hujson.comments(text):
        if text[first:last].startswith(f"/* Homespun {owner}: begin"):
            if start is not None:
                raise _halved(text, start, end(owner))
            start = first
        elif text[first:last] == end(owner):
            if start is None:
                raise _halved(text, first, begin(owner))
            yield start, last
            start = None
    if start is not None:
        raise _halved(text, start, end(owner))


def _halved(text: str, at: int, other: str) -> MeshError:
    line = text.count("\n", 0, at) + 1
    return MeshError(
        f"the tailnet's policy: line {line}: expected this mark of Homespun's and its other half ({other}), found it"
        " alone; put that back, or take away all that belongs to it"
    )
