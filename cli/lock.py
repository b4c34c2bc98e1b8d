"""One command at a time on a state folder: two would undo each other's work."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from cli.errors import CommandFailed
from homespun import places


@contextmanager
def alone() -> Iterator[None]:
    """Hold the state folder. Raises CommandFailed where another holds it."""
    # In the cache: `down` removes the state folder, and leaves nothing beside it.
    path = places.cache() / f"locks/{hashlib.sha256(str(places.state()).encode()).hexdigest()[:12]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandFailed(
                f"{places.state()}: expected nobody at work there, found another `make up` or `make down`; wait for it"
            ) from None
        yield
