"""Before data goes, its owner is asked."""

import os
import sys

from cli.errors import CommandFailed


def ask(what: str) -> None:
    """Ask whether that is meant; YES=1 answers it. Raises CommandFailed where it is not, or nobody is there to say."""
    if os.environ.get("YES") == "1":
        return
    if not sys.stdin.isatty():
        raise CommandFailed(f"{what} Say YES=1 if that is meant; nothing was touched")
    if input(f"{what} Sure? [y/N] ").strip().lower() not in ("y", "yes"):
        raise CommandFailed("nothing was touched")
