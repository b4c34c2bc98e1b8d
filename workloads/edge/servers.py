"""The servers behind a Service: their addresses and named ports, as EndpointSlices tell them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class ServersError(Exception):
    """The document is not a list of servers."""


@dataclass(frozen=True, order=True)
class Server:
    """One pod behind the Service."""

    host: str
    ports: tuple[tuple[str, int], ...]
    """(name, number), sorted."""

    def address(self, port: str) -> str:
        """host:port of a named port, '' if it has none of that name."""
        number = dict(self.ports).get(port)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{number}" if number else ""


def from_slices(slices: Iterable[Any]) -> tuple[Server, ...]:
    """The servers in EndpointSlices (lightkube's): all that are ready, and those on their way out if none stays."""
    staying: set[Server] = set()
    leaving: set[Server] = set()
    for piece in slices:
        ports = tuple(sorted((port.name or "", port.port) for port in piece.ports or () if port.port))
        for endpoint in piece.endpoints or ():
            conditions = endpoint.conditions
            if conditions and conditions.ready is False:  # unknown is to be read as ready, says the API
                continue
            group = leaving if conditions and conditions.terminating else staying
            group.update(Server(address, ports) for address in endpoint.addresses)
    return tuple(sorted(staying or leaving))


def render(servers: tuple[Server, ...]) -> str:
    """The document that is kept on disk."""
    return json.dumps({"servers": [{"host": server.host, "ports": dict(server.ports)} for server in servers]})


def parse(text: str) -> tuple[Server, ...]:
    """The servers in a document. Raises ServersError."""
    try:
        return tuple(
            Server(str(entry["host"]), tuple(sorted((str(name), int(port)) for name, port in entry["ports"].items())))
            for entry in json.loads(text)["servers"]
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ServersError(f"not a list of servers: {type(error).__name__}: {error}") from error
