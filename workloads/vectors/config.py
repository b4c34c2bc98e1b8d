"""What the operator tells the gateways and agents of vector collections, and what agents tell back.

The operator renders one `Config` into the ConfigMap `CONFIG_MAP`; gateways and agents follow it there. An agent
keeps the collections in an engine and answers for them with `Placement`s, which the gateway passes on to the
operator. How the format may change: `workloads.edge.document`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from workloads.edge import document
from workloads.edge.document import known

FORMAT_VERSION: Final = 1
CONFIG_MAP: Final = "vectors"
CONFIG_KEY: Final = "config.json"
SERVERS_SERVICE: Final = "vector-servers"
"""The headless Service whose EndpointSlices name the namespace's engine and its agent, with the ports below."""
ENGINE_PORT_NAME: Final = "milvus"
AGENT_PORT_NAME: Final = "agent"
PROBE_NAMESPACE: Final = "__homespun_probe"
"""Where the operator writes and queries; open to the probe token alone, and in no list or count."""


@dataclass(frozen=True)
class Field:
    """A metadata field with a column of its own."""

    name: str
    type: str
    """string | int | float | bool | stringList."""


@dataclass(frozen=True)
class Collection:
    """One collection."""

    name: str
    """The object's name; the index's name in the API."""
    dimension: int
    metric: str
    """cosine | dotproduct | euclidean."""
    fields: tuple[Field, ...] = ()
    m: int = 16
    """HNSW: edges of a node (https://arxiv.org/abs/1603.09320)."""
    ef_construction: int = 200
    """HNSW: candidates that are looked at while the graph is built."""
    ef: int = 64
    """HNSW: candidates of a query without a filter; more are looked at for a larger topK."""
    filtered_ef: int = 512
    """HNSW: candidates of a query with a filter."""
    address: str = ""
    """http://host:port of a Milvus elsewhere; '': the namespace's own engine."""
    tokens: tuple[str, ...] = ()
    """sha256 (hex) of each API key that may use it; empty: open to whoever reaches the gateway."""

    @property
    def schema(self) -> str:
        """Identity of what is built once: sha256 (hex) over dimension, metric, fields and graph."""
        built = [self.dimension, self.metric, sorted([f.name, f.type] for f in self.fields)]
        return hashlib.sha256(json.dumps([*built, self.m, self.ef_construction]).encode()).hexdigest()


@dataclass(frozen=True)
class Config:
    """All that gateways and agents of one namespace need to know."""

    collections: tuple[Collection, ...] = ()
    probe_token: str = ""
    """sha256 (hex) of the operator's own token."""


class State(StrEnum):
    """Where a collection stands in its engine."""

    PENDING = "Pending"
    CREATING = "Creating"
    LOADED = "Loaded"
    FAILED = "Failed"


class Failure(StrEnum):
    """Why a collection is Failed."""

    ENGINE_UNREACHABLE = "EngineUnreachable"
    SCHEMA_MISMATCH = "SchemaMismatch"
    CREATE_FAILED = "CreateFailed"


@dataclass(frozen=True)
class Placement:
    """A collection in an engine, as its agent reports it."""

    collection: str
    state: State
    reason: Failure | None = None
    message: str = ""
    """For people: place, expectation, finding, what to do. Never a secret."""
    rows: int = 0
    """Vectors in it, in all namespaces, when the agent last looked."""
    loads: int = 0
    """How often it was brought into the engine's memory since the agent started; a new number means a new engine."""
    server: str = field(default="", compare=False)
    """host:port of the agent that says so; filled in by the gateway."""


def render(config: Config) -> str:
    """The document."""
    return document.render(asdict(config), FORMAT_VERSION)


def parse(text: str) -> Config:
    """The configuration in a document. Raises NewerFormatError or ConfigError."""
    with document.meaning("a configuration"):
        found = document.read(text, FORMAT_VERSION)
        collections = tuple(_collection(entry) for entry in found.get("collections", ()))
        return Config(collections, str(found.get("probe_token", "")))


def parse_placements(text: str) -> tuple[Placement, ...]:
    """The placements in an answer. Raises ConfigError."""
    return document.parse_placements(text, _placement)


def _collection(entry: dict[str, Any]) -> Collection:
    fields = known(Collection, entry)
    fields["fields"] = tuple(Field(**known(Field, one)) for one in entry.get("fields", ()))
    fields["tokens"] = tuple(entry.get("tokens", ()))
    return Collection(**fields)


def _placement(entry: dict[str, Any]) -> Placement:
    fields = known(Placement, entry)
    fields["state"] = State(entry["state"])
    fields["reason"] = Failure(entry["reason"]) if entry.get("reason") else None
    return Placement(**fields)


def generation_name(collection: str, number: int) -> str:
    """What a generation of a collection is called in Milvus, whose names hold no dashes."""
    return f"hs_{collection.replace('-', '_')}_g{number}"
