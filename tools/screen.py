"""Progress for whoever waits: rewritten in place on a terminal, a few whole lines in a log."""

import sys
from typing import Final

STEP: Final = 25
"""Percent between two lines of a log."""


_said: set[str] = set()


def line(text: str) -> None:
    """What goes on now; a log has each such line once. '' clears the line."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text and text not in _said:
        _said.add(text)
        print(text, file=sys.stderr, flush=True)


class Percent:
    """How far one thing is, after a head that names it."""

    def __init__(self, head: str) -> None:
        self._head = head
        self._what = ""
        self._last = -STEP

    def show(self, what: str, percent: int) -> None:
        """Say it, if it is worth a line."""
        if sys.stderr.isatty() or what != self._what or percent >= self._last + STEP:
            self._what, self._last = what, percent
            line(f"{self._head}  {what} {percent}%")


def amount(files: int, size: int) -> str:
    """So many files, of so many bytes together."""
    told = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} KB"
    return f"{files} file{'' if files == 1 else 's'}, {told}"
