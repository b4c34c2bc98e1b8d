"""What the operator tells gateways and agents, and what agents tell back.

The operator renders one `Config` into the ConfigMap `CONFIG_MAP`; gateways and agents follow it there. An agent
answers for its server with `Placement`s, which the gateway passes on to the operator. How the format may change:
`workloads.edge.document`.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from workloads.edge import document
from workloads.edge.document import known

FORMAT_VERSION: Final = 1
CONFIG_MAP: Final = "inference"
CONFIG_KEY: Final = "config.json"
SOURCES_SECRET: Final = "inference-sources"
"""The Secret that holds, by model name, the token with which an agent fetches a private source."""
SERVERS_SERVICE: Final = "inference-servers"
"""The headless Service whose EndpointSlices name the servers, with the ports below."""
GRPC_PORT_NAME: Final = "grpc"
AGENT_PORT_NAME: Final = "agent"

REVISION_HEADER: Final = "x-homespun-revision"
"""With the probe token: the digest of the revision that has to answer, though it is not the active one yet."""


@dataclass(frozen=True)
class Revision:
    """One set of weights of a model: where it comes from and what must be true of it."""

    digest: str
    """Identity of the revision: sha256 (hex) over all that makes it."""
    uri: str
    """`hf://org/name` or `pvc://claim/path/in/it`."""
    expected: str = ""
    """hf: the commit (40 hex digits); pvc: `sha256:<hex>` of the folder's manifest, or '' for whatever is there."""

    @property
    def version(self) -> int:
        """The Triton version number, the revision's folder in the repository: 48 bits of the digest.

        Derived, so that there is no counter to lose; 48 bits survive a JSON number.
        """
        return int(self.digest[:12], 16) or 1


@dataclass(frozen=True)
class Model:
    """One served model."""

    name: str
    """The object's name; the model's name in Triton."""
    model_id: str
    """The id in the APIs, unique in a configuration."""
    task: str
    """A Hugging Face task: feature-extraction or sentence-similarity."""
    framework: str
    """What runs the weights: onnx."""
    active: str
    """Digest of the revision that answers; '' until the first one has passed its probe."""
    revisions: tuple[Revision, ...]
    """What the agents should hold: the active revision and the one that is to replace it."""
    max_batch_size: int = 32
    max_queue_delay_us: int = 2000
    tokens: tuple[str, ...] = ()
    """sha256 (hex) of each token that may use the model; empty: open to whoever reaches the gateway."""


@dataclass(frozen=True)
class Config:
    """All that gateways and agents of one namespace need to know."""

    models: tuple[Model, ...] = ()
    probe_token: str = ""
    """sha256 (hex) of the operator's own token."""


class State(StrEnum):
    """Where a revision stands on one server."""

    PENDING = "Pending"
    FETCHING = "Fetching"
    LOADING = "Loading"
    LOADED = "Loaded"
    FAILED = "Failed"


class Failure(StrEnum):
    """Why a revision is Failed."""

    SOURCE_NOT_FOUND = "SourceNotFound"
    FETCH_FAILED = "FetchFailed"
    ACCESS_DENIED = "AccessDenied"
    DIGEST_MISMATCH = "DigestMismatch"
    INVALID_MODEL = "InvalidModel"
    DOES_NOT_FIT = "DoesNotFit"
    LOAD_FAILED = "LoadFailed"


@dataclass(frozen=True)
class Placement:
    """A revision on a server, as its agent reports it."""

    model: str
    revision: str
    """Digest of the revision."""
    state: State
    reason: Failure | None = None
    message: str = ""
    """For people: place, expectation, finding, what to do. Never a path of the server's inside or a secret."""
    load_seconds: float = 0.0
    loads: int = 0
    """How often this revision was loaded here since the agent started; a new number means a new engine."""
    server: str = field(default="", compare=False)
    """host:port of the agent that says so; filled in by the gateway."""


def render(config: Config) -> str:
    """The document."""
    return document.render(asdict(config), FORMAT_VERSION)


def parse(text: str) -> Config:
    """The configuration in a document. Raises NewerFormatError or ConfigError."""
    with document.meaning("a configuration"):
        found = document.read(text, FORMAT_VERSION)
        models = tuple(_model(entry) for entry in found.get("models", ()))
        return Config(models=models, probe_token=str(found.get("probe_token", "")))


def parse_placements(text: str) -> tuple[Placement, ...]:
    """The placements in an answer. Raises ConfigError."""
    return document.parse_placements(text, _placement)


def _model(entry: dict[str, Any]) -> Model:
    fields = known(Model, entry)
    fields["revisions"] = tuple(Revision(**known(Revision, revision)) for revision in entry["revisions"])
    fields["tokens"] = tuple(entry.get("tokens", ()))
    return Model(**fields)


def _placement(entry: dict[str, Any]) -> Placement:
    fields = known(Placement, entry)
    fields["state"] = State(entry["state"])
    fields["reason"] = Failure(entry["reason"]) if entry.get("reason") else None
    return Placement(**fields)
