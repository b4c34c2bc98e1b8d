"""What is in the collection, as far as it was acknowledged: the digest of each vector, by id, in a file on the claim.

SQLite, because several processes note in it at once, look up a few ids at a time, and are killed at any moment.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

FILE: Final = "ledger.sqlite"
WAIT_SECONDS: Final = 60.0


class Ledger:
    """The ledger of one collection. An object belongs to one process; the file is shared."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / FILE, timeout=WAIT_SECONDS, isolation_level=None)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS vectors (id TEXT PRIMARY KEY, digest TEXT NOT NULL, noted REAL NOT NULL)"
            " WITHOUT ROWID"
        )

    def digests(self, ids: Sequence[str]) -> dict[str, str]:
        """Of these ids, those that are there, with their digests. At most 1000 at a time."""
        marks = ", ".join("?" * len(ids))
        rows = self._database.execute(f"SELECT id, digest FROM vectors WHERE id IN ({marks})", ids)  # noqa: S608
        return dict(rows.fetchall())

    def note(self, digests: Mapping[str, str]) -> None:
        """That these are in the collection now: all of them or, when killed, none."""
        now = time.time()
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", [(*entry, now) for entry in digests.items()]
            )

    def count(self, since: float = 0.0) -> int:
        """How many are there, noted since then."""
        (number,) = self._database.execute("SELECT count(*) FROM vectors WHERE noted >= ?", (since,)).fetchone()
        return int(number)

    def keep(self, ids: Iterable[str], before: Callable[[], None]) -> int:
        """Forget all others: they are in the collection no more. Returns how many those were.

        If there are any, `before` is called first: what it does is done whenever they are forgotten, killed or not.
        """
        with self._database:
            self._database.execute("BEGIN")
            self._database.execute("CREATE TEMP TABLE held (id TEXT PRIMARY KEY) WITHOUT ROWID")
            self._database.executemany("INSERT INTO held VALUES (?)", ((identity,) for identity in ids))
            gone = self._database.execute("DELETE FROM vectors WHERE id NOT IN (SELECT id FROM held)").rowcount
            self._database.execute("DROP TABLE held")
            if gone:
                before()
        return gone

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
