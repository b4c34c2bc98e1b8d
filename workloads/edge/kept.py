"""The last good copy of a document that comes from the API server.

The program's truth is a file. Whoever hears of a new document offers it; one that can't be read, or is of a newer
format, changes nothing. So a program starts, and restarts, without the API server.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

T = TypeVar("T")

POLL_SECONDS: Final = 0.25

log = logging.getLogger(__name__)


class Kept(Generic[T]):
    """A document's last good value, in memory and on disk."""

    def __init__(self, path: Path, parse: Callable[[str], T], empty: T, error: type[Exception]) -> None:
        """`parse` reads a document or raises `error`; `empty` is the value as long as there is none."""
        self._path, self._parse, self._error = path, parse, error
        self._text = ""
        self.value = empty
        self.known = False
        """Whether `value` is a document's."""
        self.listeners: list[Callable[[], None]] = []
        """Called after each change."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._read()

    def offer(self, text: str) -> None:
        """Take a document, if it is good, and keep it on disk."""
        if self._accept(text):
            draft = self._path.with_suffix(".draft")
            draft.write_text(text)
            os.replace(draft, self._path)

    async def follow_file(self) -> None:
        """Take each good document that somebody writes to the file. Ends by cancellation."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self._read()

    def _read(self) -> None:
        if self._path.exists():
            self._accept(self._path.read_text())

    def _accept(self, text: str) -> bool:
        if text == self._text:
            return False
        self._text = text
        try:
            self.value = self._parse(text)
        except self._error as error:
            log.error("keeping the last good copy", extra={"document": self._path.name, "error": str(error)})
            return False
        self.known = True
        log.info("new document", extra={"document": self._path.name})
        for listener in self.listeners:
            listener()
        return True
