"""What ought to be, out of what is declared and what is observed. Pure: no I/O, no clock.

A new revision is loaded beside the one that answers, probed through the gateway, and only then made the active one;
then the active one is probed on the way that everybody goes, and only that earns Ready.
"""

import hashlib
import json
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from homespun.api.fields import SecretKey
from homespun.api.inference import (
    FailureStatus,
    InferenceModelSpec,
    InferenceModelStatus,
    PlacementStatus,
    RevisionsStatus,
    RevisionStatus,
)
from operators import keys, objects, pods
from operators.conditions import Finding
from workloads.edge.document import NOBODY, token_hash
from workloads.inference.config import Config, Model, Placement, Revision, State

Object = objects.Object[InferenceModelSpec, InferenceModelStatus]


@dataclass(frozen=True)
class Probe:
    """A request that a revision has to answer, and the engines that it speaks for."""

    model: str
    model_id: str
    task: str
    inputs: str
    revision: str
    switched: bool
    """Whether the revision is the active one, so that the request goes the way that everybody goes."""
    engines: tuple[tuple[str, int], ...]
    """(server, loads) of each engine that holds the revision: a load or a heal makes the probe another one."""


@dataclass(frozen=True)
class Observed:
    """All that a decision rests on."""

    objects: tuple[Object, ...]
    config: Config = field(default_factory=Config)
    """What gateways and agents follow now."""
    secrets: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The declared tokens of the Secrets that exist, by (Secret, key); '' for one that its Secret lacks."""
    placements: tuple[Placement, ...] | None = None
    """What the agents report through the gateway; None while the gateway does not answer."""
    probes: Mapping[Probe, str] = field(default_factory=dict)
    """What came of each probe: '' for a good answer, else what was wrong with it."""


def next_config(observed: Observed, probe_token: str) -> Config:
    """What gateways and agents ought to follow."""
    models = (_model(item, observed) for item in _served(observed))
    return Config(models=tuple(models), probe_token=token_hash(probe_token))


def source_tokens(observed: Observed) -> dict[str, str]:
    """The hub's token for each model whose source is private, by model name."""
    found = ((item.name, _secret(observed, item.spec.source.token_secret_ref)) for item in _served(observed))
    return {name: token for name, token in found if token}


def claims(config: Config, there: Set[str]) -> tuple[str, ...]:
    """The claims that the servers have to mount, sorted: of those that are named the ones that are there.

    A pod that mounts one which is not never starts, and all models would wait for it.
    """
    uris = (revision.uri for model in config.models for revision in model.revisions)
    named = {pods.claim_of(uri) for uri in uris if uri.startswith("pvc://")}
    return tuple(sorted(named & there))


def probes(observed: Observed, config: Config) -> tuple[Probe, ...]:
    """The probes that speak for the engines as they are: one a revision that some engine holds."""
    specs = {item.name: item.spec for item in observed.objects}
    found = []
    for model in config.models:
        for revision in model.revisions:
            engines = tuple(
                sorted((held.server, held.loads) for held in _held(observed, model, revision.digest) if _loaded(held))
            )
            if engines:
                inputs = specs[model.name].probe.inputs
                switched = revision.digest == model.active
                found.append(Probe(model.name, model.model_id, model.task, inputs, revision.digest, switched, engines))
    return tuple(found)


def status(item: Object, observed: Observed, config: Config, url: str) -> tuple[InferenceModelStatus, list[Finding]]:
    """The status to show for an object, but for its conditions, and the findings that make those.

    `url` is the gateway's address for clients.
    """
    refusal = _refusal(item, observed)
    model = next((model for model in config.models if model.name == item.name), None)
    target = revision_of(item.spec)
    if model is None:
        assert refusal is not None
        findings = [refusal, _not_ready(refusal), Finding("UpToDate", "False", refusal.reason, refusal.message)]
        shown = InferenceModelStatus(
            observed_generation=item.generation, revision=RevisionsStatus(target=_shown(target))
        )
        return shown, findings
    active = next((revision for revision in model.revisions if revision.digest == model.active), None)
    failure = _failure(observed, config, model, target.digest)
    placements = [held for revision in model.revisions for held in _held(observed, model, revision.digest)]
    shown = InferenceModelStatus(
        observed_generation=item.generation,
        state=_state(placements),
        url=f"{url}/models/{model.model_id}",
        revision=RevisionsStatus(active=_shown(active), target=_shown(target)),
        placements=tuple(
            PlacementStatus(server=held.server, revision=held.revision, state=held.state, loads=held.loads)
            for held in sorted(placements, key=lambda held: (held.server, held.revision))
        ),
        last_failure=failure,
    )
    accepted = refusal or Finding("Accepted", "True", "Valid")
    # One that nobody may ask does not answer, whatever is loaded.
    ready = _not_ready(refusal) if refusal else _ready(observed, config, model, failure)
    return shown, [accepted, ready, _up_to_date(model, target.digest, failure)]


def progressing(observed: Observed, config: Config) -> bool:
    """Whether something is under way that another look, soon, can find done."""
    if observed.placements is None:
        return True
    for model in config.models:
        target = model.revisions[-1].digest
        states = {held.state for held in _held(observed, model, target)}
        if model.active != target or states != {State.LOADED}:
            return True
    return any(observed.probes.get(probe) != "" for probe in probes(observed, config))


def revision_of(spec: InferenceModelSpec) -> Revision:
    """The revision that a spec declares: the same weights for the same runtime have the same digest."""
    identity = [spec.source.uri, spec.source.revision or "", spec.runtime.framework]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    return Revision(digest=digest, uri=spec.source.uri, expected=spec.source.revision or "")


def secret_keys(spec: InferenceModelSpec) -> tuple[SecretKey, ...]:
    """The Secret keys that a spec refers to."""
    tokens = tuple(token.secret_ref for token in spec.access.tokens)
    return (*tokens, spec.source.token_secret_ref) if spec.source.token_secret_ref else tokens


def _served(observed: Observed) -> list[Object]:
    """The objects that are served: of those with one model id the oldest, within a second the one served already."""
    names = {model.name for model in observed.config.models}
    oldest: dict[str, Object] = {}
    for item in sorted(observed.objects, key=lambda item: (item.created, item.name not in names, item.uid)):
        oldest.setdefault(item.spec.model_id, item)
    return sorted(oldest.values(), key=lambda item: item.name)


def _model(item: Object, observed: Observed) -> Model:
    spec, target = item.spec, revision_of(item.spec)
    active = _active(item, target, observed)
    access = (_secret(observed, token.secret_ref) for token in spec.access.tokens)
    return Model(
        name=item.name,
        model_id=spec.model_id,
        task=spec.task,
        framework=spec.runtime.framework,
        active=active.digest if active else "",
        revisions=(active, target) if active and active != target else (target,),
        max_batch_size=spec.batching.max_batch_size,
        max_queue_delay_us=spec.batching.max_queue_delay_us,
        tokens=tuple(token_hash(token) if token else NOBODY for token in access),
    )


def _active(item: Object, target: Revision, observed: Observed) -> Revision | None:
    """The revision that ought to answer: the target once it has passed its probe, else the one that answers now."""
    now = next((model for model in observed.config.models if model.name == item.name), None)
    passed = any(
        probe.model == item.name and probe.revision == target.digest and not wrong
        for probe, wrong in observed.probes.items()
    )
    if passed or (now and now.active == target.digest):
        return target
    answering = next((revision for revision in now.revisions if revision.digest == now.active), None) if now else None
    if answering:
        return answering
    # The configuration is lost or was edited: the status remembers.
    remembered = item.status.revision.active
    return Revision(remembered.digest, remembered.uri, remembered.revision) if remembered else None


def _refusal(item: Object, observed: Observed) -> Finding | None:
    """What keeps an object from being served as it is declared."""
    winner = next(other for other in _served(observed) if other.spec.model_id == item.spec.model_id)
    if winner.uid != item.uid:
        return Finding(
            "Accepted",
            "False",
            "DuplicateModelId",
            f"spec.modelId: {item.spec.model_id} is served by the older object {winner.name};"
            " give this one another id, or delete that one",
        )
    missing = keys.missing(secret_keys(item.spec), observed.secrets)
    return Finding("Accepted", "False", *keys.not_found(missing, observed.secrets)) if missing else None


def _secret(observed: Observed, ref: SecretKey | None) -> str:
    return observed.secrets.get((ref.name, ref.key), "") if ref else ""


def _held(observed: Observed, model: Model, digest: str) -> list[Placement]:
    return [held for held in observed.placements or () if held.model == model.name and held.revision == digest]


def _loaded(placement: Placement) -> bool:
    return placement.state is State.LOADED


def _state(placements: list[Placement]) -> State:
    """The most advanced of all; Failed only where nothing is on its way."""
    order = (State.LOADED, State.LOADING, State.FETCHING, State.PENDING, State.FAILED)
    states = {placement.state for placement in placements}
    return next((state for state in order if state in states), State.PENDING)


def _failure(observed: Observed, config: Config, model: Model, target: str) -> FailureStatus | None:
    for held in _held(observed, model, target):
        if held.state is State.FAILED:
            return FailureStatus(reason=held.reason or "Failed", message=held.message, revision=target)
    for probe in probes(observed, config):
        wrong = observed.probes.get(probe)
        if probe.model == model.name and wrong:
            return FailureStatus(reason="ProbeFailed", message=wrong, revision=probe.revision)
    return None


def _ready(observed: Observed, config: Config, model: Model, failure: FailureStatus | None) -> Finding:
    if observed.placements is None:
        return Finding("Ready", "Unknown", "GatewayUnreachable", "the gateway does not answer the operator")
    mine = [probe for probe in probes(observed, config) if probe.model == model.name and probe.switched]
    if any(observed.probes.get(probe) == "" for probe in mine):
        return Finding("Ready", "True", "Answered", f"answered a {model.task} request through the gateway")
    if failure:
        return Finding("Ready", "False", failure.reason, failure.message)
    held = [placement for revision in model.revisions for placement in _held(observed, model, revision.digest)]
    if not held:
        return Finding(
            "Ready",
            "False",
            "NoServer",
            "no inference server reports this model yet;"
            " see `kubectl get pods -l app.kubernetes.io/name=inference-server`",
        )
    state = _state(held)
    if state is State.LOADED:
        return Finding("Ready", "False", "Probing", "loaded; its first answer is awaited")
    return Finding("Ready", "False", str(state), f"{state.lower()} on {', '.join(sorted({p.server for p in held}))}")


def _up_to_date(model: Model, target: str, failure: FailureStatus | None) -> Finding:
    if model.active == target:
        return Finding("UpToDate", "True", "Switched", "the declared revision answers")
    if failure:
        return Finding("UpToDate", "False", failure.reason, failure.message)
    return Finding("UpToDate", "False", "Progressing", "the declared revision is on its way")


def _not_ready(refusal: Finding) -> Finding:
    return Finding("Ready", "False", refusal.reason, refusal.message)


def _shown(revision: Revision | None) -> RevisionStatus | None:
    if revision is None:
        return None
    return RevisionStatus(digest=revision.digest, uri=revision.uri, revision=revision.expected)
