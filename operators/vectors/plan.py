"""What ought to be, out of what is declared and what is observed. Pure: no I/O, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from homespun.api.fields import SecretKey
from homespun.api.vectors import (
    CollectionFailureStatus,
    GenerationStatus,
    VectorCollectionSpec,
    VectorCollectionStatus,
)
from operators import keys, objects
from operators.conditions import Finding
from workloads.edge.document import NOBODY, token_hash
from workloads.vectors.config import Collection, Config, Field, Placement, State, generation_name

Object = objects.Object[VectorCollectionSpec, VectorCollectionStatus]


@dataclass(frozen=True)
class Probe:
    """A write and a query that a collection has to answer, and the engine that they speak for."""

    collection: str
    dimension: int
    engine: tuple[str, int]
    """(agent, loads): an engine that comes back makes the probe another one."""


@dataclass(frozen=True)
class Observed:
    """All that a decision rests on."""

    objects: tuple[Object, ...]
    secrets: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The declared API keys of the Secrets that exist, by (Secret, key); '' for one that its Secret lacks."""
    placements: tuple[Placement, ...] | None = None
    """What the agents report through the gateway; None while the gateway does not answer."""
    probes: Mapping[Probe, str] = field(default_factory=dict)
    """What came of each probe: '' for a good answer, else what was wrong with it."""


def config_of(observed: Observed, probe_token: str) -> Config:
    """What gateways and agents ought to follow."""
    items = sorted(observed.objects, key=lambda item: item.name)
    return Config(tuple(_collection(item, observed) for item in items), token_hash(probe_token))


def own_engine(config: Config) -> bool:
    """Whether some collection is kept in the namespace's own Milvus."""
    return any(not collection.address for collection in config.collections)


def probes(observed: Observed, config: Config) -> tuple[Probe, ...]:
    """One for each collection that an engine holds."""
    loaded = {held.collection: held for held in observed.placements or () if held.state is State.LOADED}
    return tuple(
        Probe(collection.name, collection.dimension, (held.server, held.loads))
        for collection in config.collections
        if (held := loaded.get(collection.name))
    )


def status(item: Object, observed: Observed, config: Config, url: str) -> tuple[VectorCollectionStatus, list[Finding]]:
    """The status to show for an object, but for its conditions, and the findings that make those.

    `url` is the gateway's address for clients.
    """
    held = next((one for one in observed.placements or () if one.collection == item.name), None)
    state = held.state if held else State.PENDING
    failure = _failure(item, held, observed, config)
    shown = VectorCollectionStatus(
        observed_generation=item.generation,
        state=state.value,
        url=f"{url}/v/{item.name}",
        rows=held.rows if held else item.status.rows,
        active=GenerationStatus(generation=1, collection=generation_name(item.name, 1)),
        last_failure=failure,
    )
    lacking = missing(item, observed)
    accepted = (
        Finding("Accepted", "False", *keys.not_found(lacking, observed.secrets))
        if lacking
        else Finding("Accepted", "True", "Valid")
    )
    # One that nobody may ask does not answer, whatever is loaded.
    ready = (
        Finding("Ready", "False", accepted.reason, accepted.message)
        if lacking
        else _ready(item, held, observed, config, failure)
    )
    return shown, [accepted, ready]


def progressing(observed: Observed, config: Config) -> bool:
    """Whether something is under way that another look, soon, can find done."""
    if observed.placements is None:
        return True
    loaded = {held.collection for held in observed.placements if held.state is State.LOADED}
    if any(collection.name not in loaded for collection in config.collections):
        return True
    return any(observed.probes.get(probe) != "" for probe in probes(observed, config))


def answers(item: Object, observed: Observed, config: Config) -> bool:
    """Whether the collection has answered a write and a query."""
    return any(observed.probes.get(probe) == "" for probe in probes(observed, config) if probe.collection == item.name)


def secret_keys(spec: VectorCollectionSpec) -> tuple[SecretKey, ...]:
    """The Secret keys that a spec refers to."""
    return tuple(token.secret_ref for token in spec.access.tokens)


def _collection(item: Object, observed: Observed) -> Collection:
    spec = item.spec
    held = (observed.secrets.get((ref.name, ref.key), "") for ref in secret_keys(spec))
    return Collection(
        name=item.name,
        dimension=spec.vectors.dimension,
        metric=spec.vectors.metric,
        fields=tuple(Field(one.name, one.type) for one in spec.metadata.fields),
        m=spec.index.params.m,
        ef_construction=spec.index.params.ef_construction,
        ef=spec.index.search.ef,
        filtered_ef=spec.index.search.filtered_ef,
        address=spec.engine.address,
        tokens=tuple(token_hash(key) if key else NOBODY for key in held),
    )


def missing(item: Object, observed: Observed) -> list[SecretKey]:
    """The declared keys that do not exist."""
    return keys.missing(secret_keys(item.spec), observed.secrets)


def _failure(
    item: Object, held: Placement | None, observed: Observed, config: Config
) -> CollectionFailureStatus | None:
    if held and held.state is State.FAILED:
        return CollectionFailureStatus(reason=held.reason or "Failed", message=held.message)
    for probe in probes(observed, config):
        if probe.collection == item.name and (wrong := observed.probes.get(probe)):
            return CollectionFailureStatus(reason="ProbeFailed", message=wrong)
    return None


def _ready(
    item: Object,
    held: Placement | None,
    observed: Observed,
    config: Config,
    failure: CollectionFailureStatus | None,
) -> Finding:
    if observed.placements is None:
        return Finding("Ready", "Unknown", "GatewayUnreachable", "the gateway does not answer the operator")
    if answers(item, observed, config):
        return Finding("Ready", "True", "Answered", "answered a write and a query through the gateway")
    if failure:
        return Finding("Ready", "False", failure.reason, failure.message)
    if held is None:
        return Finding(
            "Ready",
            "False",
            "NoServer",
            "no engine reports this collection yet; see `kubectl get pods -l app.kubernetes.io/name=vector-server`",
        )
    if held.state is State.LOADED:
        return Finding("Ready", "False", "Probing", "loaded; its first answer is awaited")
    return Finding("Ready", "False", str(held.state), held.message or f"{held.state.lower()} in Milvus")
