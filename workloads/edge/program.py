"""How the programs of all kinds start: their command line, and the configuration that they follow."""

import argparse
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from lightkube import AsyncClient

from workloads.edge import cluster
from workloads.edge.document import ConfigError
from workloads.edge.kept import Kept

C = TypeVar("C")

CONFIG_FILE: Final = "config.json"
"""In a program's folder: the last good configuration."""


@dataclass(frozen=True)
class Followed(Generic[C]):
    """The configuration that a program works by."""

    config: Kept[C]
    client: AsyncClient | None
    """Of the API server; None for one that stands alone."""
    following: Coroutine[Any, Any, None]
    """Keeps it up to date; to run beside the server."""


def parser(program: str, description: str | None, port: int, state: str, kept: str) -> argparse.ArgumentParser:
    """The command line that all have in common, with the defaults of a pod. `kept` says what lies in `state`."""
    made = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    made.add_argument("--host", default="0.0.0.0")  # noqa: S104
    made.add_argument("--port", type=int, default=port)
    made.add_argument("--state", type=Path, default=Path(state), help=kept)
    made.add_argument(
        "--namespace", default=os.environ.get("NAMESPACE") or None, help="$NAMESPACE, else that of the kubeconfig"
    )
    made.add_argument("--standalone", action="store_true", help="no API server: follow what lies in STATE")
    return made


def follow(given: argparse.Namespace, config_map: str, key: str, parse: Callable[[str], C], empty: C) -> Followed[C]:
    """Follow a ConfigMap's key, or its copy in STATE."""
    config = Kept(given.state / CONFIG_FILE, parse, empty, ConfigError)
    if given.standalone:
        return Followed(config, None, config.follow_file())
    client = AsyncClient(namespace=given.namespace)
    return Followed(config, client, cluster.follow_config_map(client, config_map, key, config.offer))
