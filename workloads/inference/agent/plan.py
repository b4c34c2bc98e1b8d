"""What an agent does next, and what it reports: a pure function of the configuration and of what is there.

One action a model at a time (fetches apart), so that what a load says is about the one revision that it brought; one
load at a time in all, so that an engine that dies of one is not held against another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from workloads.inference.config import Config, Failure, Model, Placement, Revision, State

LINGER_SECONDS: Final = 5.0
"""How long a loaded version outlives its mention in the configuration: by then all gateways ask for another."""
BACKOFF_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
HOLD_SECONDS: Final = 900.0
"""The wait after a load that took the engine down with it twice: each further try costs all other models an outage."""
BASE_BYTES: Final = 160 * 2**20
WEIGHTS_FACTOR: Final = 3
"""Memory of a loaded version: what its process takes without weights, and times the size of its files. Measured with
the int8 MiniLM (23 MB): 150 MB after the load, 240 MB after batches of all sizes."""

Key = tuple[str, str]
"""(model name, digest of a revision)."""
Held = tuple[str, int]
"""(model name, version)."""


@dataclass(frozen=True)
class Trouble:
    """The last failure of a revision, and when to try again."""

    reason: Failure
    message: str
    attempts: int
    retry_at: float
    """On the clock of Observed.now. A change of the declaration does not wait for it."""


@dataclass(frozen=True)
class Observed:
    """What is there. Times are seconds on one monotonic clock."""

    now: float = 0.0
    engine: Mapping[str, frozenset[int]] | None = None
    """By model, the versions that Triton has READY; None while it does not answer."""
    fetched: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """By model, the versions whose verified files are here."""
    written: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """By model, the versions that stand in the repository."""
    sizes: Mapping[Held, int] = field(default_factory=dict)
    """Bytes of the files of each fetched version."""
    outdated: frozenset[str] = frozenset()
    """Models whose config.pbtxt is not what the configuration asks for."""
    dead: frozenset[Held] = frozenset()
    """Versions that are READY but answer no request."""
    troubles: Mapping[Key, Trouble] = field(default_factory=dict)
    fetching: frozenset[Held] = frozenset()
    busy: Mapping[str, int] = field(default_factory=dict)
    """Models that an action is at work on, with the version that it loads (0: none)."""
    unwanted_since: Mapping[Held, float] = field(default_factory=dict)
    """Since when a version is here without being in the configuration."""
    digests: Mapping[Held, str] = field(default_factory=dict)
    """The digest of the revision that a version was, as far as the configuration ever said it."""
    loads: Mapping[Key, int] = field(default_factory=dict)
    load_seconds: Mapping[Key, float] = field(default_factory=dict)
    memory_limit: int = 0
    """Bytes that Triton and its models may take; 0: no limit."""


@dataclass(frozen=True)
class Fetch:
    """Bring the files here and verify them."""

    model: str
    revision: Revision


@dataclass(frozen=True)
class Load:
    """Have Triton serve `revision` beside the versions `keep`; what else stands in the repository leaves it."""

    model: Model
    revision: Revision
    keep: frozenset[int]


@dataclass(frozen=True)
class Reload:
    """Load all that is served once more, with the model's new settings."""

    model: Model


@dataclass(frozen=True)
class Heal:
    """Start a version's process anew."""

    model: Model
    revision: Revision


@dataclass(frozen=True)
class Retire:
    """Stop serving a version of a model that stays, and remove its files."""

    model: str
    version: int


@dataclass(frozen=True)
class Remove:
    """Stop serving a model and remove all of it."""

    model: str


Action = Fetch | Load | Reload | Heal | Retire | Remove


def plan(config: Config, observed: Observed) -> tuple[tuple[Action, ...], tuple[Placement, ...]]:
    """The actions to begin now, and the placements to report."""
    actions: list[Action] = [fetch for model in config.models for fetch in _fetches(model, observed)]
    if observed.engine is not None:
        free = [model for model in config.models if model.name not in observed.busy]
        steps = [step for model in free if (step := _next_step(model, observed))]
        loads = [step for step in steps if isinstance(step, Load)]
        actions.extend(step for step in steps if not isinstance(step, Load))
        if loads and not any(observed.busy.values()):
            actions.append(min(loads, key=lambda load: load.revision.digest != load.model.active))
    actions.extend(_removals(config, observed))
    placements = [_placement(model, revision, observed) for model in config.models for revision in model.revisions]
    return tuple(actions), (*placements, *_lingering(config, observed))


def backoff(attempts: int) -> float:
    """Seconds to wait after this many failures in a row."""
    return BACKOFF_SECONDS[min(attempts, len(BACKOFF_SECONDS)) - 1]


def estimate(size: int) -> int:
    """Bytes of memory that a version takes whose files have this size."""
    return BASE_BYTES + WEIGHTS_FACTOR * size


def _fetches(model: Model, observed: Observed) -> list[Fetch]:
    return [
        Fetch(model.name, revision)
        for revision in model.revisions
        if revision.version not in observed.fetched.get(model.name, ())
        and (model.name, revision.version) not in observed.fetching
        and _due(model, revision, observed)
    ]


def _next_step(model: Model, observed: Observed) -> Action | None:
    assert observed.engine is not None
    ready = observed.engine.get(model.name, frozenset())
    fetched = observed.fetched.get(model.name, frozenset())
    for revision in _active_first(model):
        if (model.name, revision.version) in observed.dead and _due(model, revision, observed):
            return Heal(model, revision)
    for revision in _active_first(model):
        if revision.version in ready or revision.version not in fetched:
            continue
        if _due(model, revision, observed) and not _too_large(model, revision, observed):
            return Load(model, revision, keep=ready)
    wanted = frozenset(revision.version for revision in model.revisions)
    if model.name in observed.outdated and ready & wanted and _due(model, _active_first(model)[0], observed):
        return Reload(model)
    leaving = sorted((ready | fetched | observed.written.get(model.name, frozenset())) - wanted)
    return next((Retire(model.name, version) for version in leaving if _gone(model.name, version, observed)), None)


def _removals(config: Config, observed: Observed) -> list[Remove]:
    if observed.engine is None:  # nobody could be told to stop
        return []
    declared = {model.name for model in config.models}
    here = set(observed.fetched) | set(observed.written) | set(observed.engine)
    return [
        Remove(name)
        for name in sorted(here - declared)
        if name not in observed.busy
        and not any(held == name for held, _ in observed.fetching)
        and all(_gone(name, version, observed) for version in observed.engine.get(name, ()))
    ]


def _gone(model: str, version: int, observed: Observed) -> bool:
    """Whether nobody can be asking for an unwanted version any more."""
    if (model, version) in observed.fetching:
        return False
    served = version in (observed.engine or {}).get(model, ())
    since = observed.unwanted_since.get((model, version), observed.now)
    return not served or observed.now - since >= LINGER_SECONDS


def _active_first(model: Model) -> list[Revision]:
    return sorted(model.revisions, key=lambda revision: revision.digest != model.active)


def _due(model: Model, revision: Revision, observed: Observed) -> bool:
    trouble = observed.troubles.get((model.name, revision.digest))
    return trouble is None or trouble.retry_at <= observed.now


def _too_large(model: Model, revision: Revision, observed: Observed) -> str:
    """'' if the revision fits beside all that is loaded or loading, else the message."""
    if not observed.memory_limit:
        return ""
    here = {(name, version) for name, versions in (observed.engine or {}).items() for version in versions}
    here |= {(name, version) for name, version in observed.busy.items() if version}
    here.discard((model.name, revision.version))
    taken = sum(estimate(observed.sizes.get(held, 0)) for held in here)
    need = estimate(observed.sizes.get((model.name, revision.version), 0))
    if taken + need <= observed.memory_limit:
        return ""
    return (
        f"model {model.name}: needs about {_mib(need)}, and {_mib(max(0, observed.memory_limit - taken))} of the"
        f" inference server's {_mib(observed.memory_limit)} are free: serve fewer or smaller models"
    )


def _mib(size: int) -> str:
    return f"{size // 2**20} MiB"


def _lingering(config: Config, observed: Observed) -> list[Placement]:
    """What is still served though the configuration no longer names it: a gateway that has not heard so asks for it."""
    wanted = {(model.name, revision.version) for model in config.models for revision in model.revisions}
    served = {(name, version) for name, versions in (observed.engine or {}).items() for version in versions}
    return [
        Placement(model=held[0], revision=observed.digests[held], state=State.LOADED)
        for held in sorted(served - wanted - observed.dead)
        if held in observed.digests
    ]


def _placement(model: Model, revision: Revision, observed: Observed) -> Placement:
    key, version = (model.name, revision.digest), revision.version
    trouble = observed.troubles.get(key)
    state, reason, message = State.PENDING, None, ""
    loaded = version in (observed.engine or {}).get(model.name, ())
    if loaded and (model.name, version) not in observed.dead:
        state = State.LOADED
    elif trouble and (not loaded or trouble.attempts > 1):
        state, reason, message = State.FAILED, trouble.reason, trouble.message
    elif loaded:
        state, message = State.LOADING, "its process died and is started anew"
    elif version in observed.fetched.get(model.name, ()):
        state = State.LOADING
        too_large = "" if observed.busy.get(model.name) == version else _too_large(model, revision, observed)
        if observed.engine is None:
            message = "waiting for the engine to start"
        elif too_large:
            state, reason, message = State.FAILED, Failure.DOES_NOT_FIT, too_large
    elif (model.name, version) in observed.fetching:
        state = State.FETCHING
    return Placement(
        model=model.name,
        revision=revision.digest,
        state=state,
        reason=reason,
        message=message,
        load_seconds=round(observed.load_seconds.get(key, 0.0), 3),
        loads=observed.loads.get(key, 0),
    )
