"""Where Homespun keeps things on the machine that it runs on. Nothing is ever kept in the clone."""

import os
from pathlib import Path


def cache() -> Path:
    """Downloads and builds; removing it costs time, no data. `HOMESPUN_CACHE`, else the user's cache folder."""
    given = os.environ.get("HOMESPUN_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homespun"


def kubeconfigs() -> Path:
    """In the state folder: one for each environment that is up, under its name."""
    return state() / "kubeconfigs"


def state() -> Path:
    """Stacks, keys, machines and their data; removing it loses them.

    `HOMESPUN_STATE`, else /var/lib/homespun; for a user who is not root (a cluster that is there already needs no
    root), the user's state folder.
    """
    given = os.environ.get("HOMESPUN_STATE")
    if given or os.geteuid() == 0:
        return Path(given or "/var/lib/homespun")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "homespun"
