"""What an agent does next and what it reports, a promise a test."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.inference.agent.plan import (
    BACKOFF_SECONDS,
    LINGER_SECONDS,
    Action,
    Fetch,
    Heal,
    Load,
    Observed,
    Reload,
    Remove,
    Retire,
    Trouble,
    backoff,
    estimate,
    plan,
)
from workloads.inference.config import Config, Failure, Model, Placement, Revision, State

OLD = Revision("a" * 64, "pvc://c/old")
NEW = Revision("b" * 64, "pvc://c/new")
V_OLD, V_NEW = OLD.version, NEW.version
MODEL = Model("m", "org/m", "feature-extraction", "onnx", OLD.digest, (OLD,))
SWITCHING = replace(MODEL, revisions=(OLD, NEW))
MIB = 2**20


def _plan(model: Model | None, observed: Observed) -> tuple[tuple[Action, ...], tuple[Placement, ...]]:
    return plan(Config((model,) if model else ()), observed)


def _states(model: Model, observed: Observed) -> list[State]:
    return [placement.state for placement in _plan(model, observed)[1]]


def _trouble(reason: Failure, attempts: int = 1, retry_at: float = 99.0) -> Trouble:
    return Trouble(reason, "why", attempts, retry_at)


def _held(*versions: int) -> dict[str, frozenset[int]]:
    return {"m": frozenset(versions)}


def _serving(*versions: int, **more: object) -> Observed:
    observed = Observed(engine=_held(*versions), fetched=_held(*versions), written=_held(*versions))
    return replace(observed, **more)  # type: ignore[arg-type]


def test_what_is_missing_is_fetched() -> None:
    assert _plan(MODEL, Observed(engine={}))[0] == (Fetch("m", OLD),)


def test_a_fetch_needs_no_engine() -> None:
    assert _plan(MODEL, Observed(engine=None))[0] == (Fetch("m", OLD),)


def test_one_fetch_however_often_it_is_asked() -> None:
    observed = Observed(engine={}, fetching=frozenset({("m", V_OLD)}))
    actions, placements = _plan(MODEL, observed)
    assert actions == ()
    assert placements[0].state is State.FETCHING


def test_what_is_fetched_is_loaded() -> None:
    observed = Observed(engine={}, fetched=_held(V_OLD))
    actions, placements = _plan(MODEL, observed)
    assert actions == (Load(MODEL, OLD, frozenset()),)
    assert placements[0].state is State.LOADING


def test_one_load_at_a_time() -> None:
    other = replace(MODEL, name="n")
    observed = Observed(engine={}, fetched={"m": frozenset({V_OLD}), "n": frozenset({V_OLD})}, busy={"m": V_OLD})
    assert plan(Config((MODEL, other)), observed)[0] == ()


def test_the_revision_that_answers_is_loaded_before_the_one_that_is_to() -> None:
    other = replace(MODEL, name="n", active=NEW.digest)
    observed = Observed(engine={}, fetched={"m": frozenset({V_NEW, V_OLD}), "n": frozenset({V_OLD})})
    assert plan(Config((other, SWITCHING)), observed)[0] == (Load(SWITCHING, OLD, frozenset()),)


def test_a_new_revision_is_loaded_beside_the_old_one() -> None:
    observed = replace(_serving(V_OLD), fetched=_held(V_OLD, V_NEW))
    assert _plan(SWITCHING, observed)[0] == (Load(SWITCHING, NEW, keep=frozenset({V_OLD})),)


def test_when_all_is_as_it_should_be_nothing_is_done() -> None:
    actions, placements = _plan(SWITCHING, _serving(V_OLD, V_NEW))
    assert actions == ()
    assert [placement.state for placement in placements] == [State.LOADED, State.LOADED]


def test_a_version_that_left_the_declaration_lingers_until_nobody_asks_for_it() -> None:
    observed = _serving(V_OLD, V_NEW, now=100.0, unwanted_since={("m", V_NEW): 100.0})
    assert _plan(MODEL, observed)[0] == ()
    later = replace(observed, now=100.0 + LINGER_SECONDS)
    assert _plan(MODEL, later)[0] == (Retire("m", V_NEW),)


def test_a_version_that_lingers_is_still_reported() -> None:
    digests = {("m", V_OLD): OLD.digest, ("m", V_NEW): NEW.digest}
    observed = _serving(V_OLD, V_NEW, digests=digests)
    assert [(placement.revision, placement.state) for placement in _plan(MODEL, observed)[1]] == [
        (OLD.digest, State.LOADED),
        (NEW.digest, State.LOADED),
    ]
    assert [placement.revision for placement in _plan(None, observed)[1]] == [OLD.digest, NEW.digest]


def test_files_that_nobody_serves_go_at_once() -> None:
    observed = replace(_serving(V_OLD), fetched=_held(V_OLD, V_NEW), unwanted_since={("m", V_NEW): 0.0})
    assert _plan(MODEL, observed)[0] == (Retire("m", V_NEW),)


def test_a_model_that_left_the_configuration_is_removed() -> None:
    observed = _serving(V_OLD, now=9.0, unwanted_since={("m", V_OLD): 0.0})
    assert _plan(None, observed)[0] == (Remove("m"),)


def test_a_model_without_a_single_version_is_removed_too() -> None:
    assert _plan(None, Observed(engine={}, fetched={"m": frozenset()}))[0] == (Remove("m"),)


def test_nothing_is_removed_while_the_engine_is_away() -> None:
    assert _plan(None, Observed(engine=None, fetched=_held(V_OLD)))[0] == ()


def test_a_restarted_engine_gets_all_models_again_from_local_files() -> None:
    observed = Observed(engine={}, fetched=_held(V_OLD), written=_held(V_OLD), loads={("m", OLD.digest): 3})
    assert _plan(MODEL, observed)[0] == (Load(MODEL, OLD, frozenset()),)


def test_without_an_engine_nothing_counts_as_loaded() -> None:
    actions, placements = _plan(MODEL, replace(_serving(V_OLD), engine=None))
    assert actions == ()
    assert (placements[0].state, placements[0].message) == (State.LOADING, "waiting for the engine to start")


def test_a_failed_fetch_waits_for_its_turn() -> None:
    observed = Observed(engine={}, now=98.0, troubles={("m", OLD.digest): _trouble(Failure.ACCESS_DENIED)})
    actions, placements = _plan(MODEL, observed)
    assert actions == ()
    assert (placements[0].state, placements[0].reason) == (State.FAILED, Failure.ACCESS_DENIED)
    assert _plan(MODEL, replace(observed, now=99.0))[0] == (Fetch("m", OLD),)


def test_a_failure_shows_until_a_retry_succeeds() -> None:
    trouble = {("m", OLD.digest): _trouble(Failure.FETCH_FAILED)}
    retrying = Observed(engine={}, now=100.0, troubles=trouble, fetching=frozenset({("m", V_OLD)}))
    assert _states(MODEL, retrying) == [State.FAILED]


def test_a_failed_target_does_not_disturb_the_good_revision() -> None:
    observed = replace(
        _serving(V_OLD), fetched=_held(V_OLD, V_NEW), troubles={("m", NEW.digest): _trouble(Failure.INVALID_MODEL)}
    )
    actions, placements = _plan(SWITCHING, observed)
    assert actions == ()
    assert [placement.state for placement in placements] == [State.LOADED, State.FAILED]


def test_a_dead_process_is_healed_at_once_and_shows_as_loading() -> None:
    observed = _serving(
        V_OLD, now=1.0, dead=frozenset({("m", V_OLD)}),
        troubles={("m", OLD.digest): _trouble(Failure.LOAD_FAILED, retry_at=1.0)},
    )  # fmt: skip
    actions, placements = _plan(MODEL, observed)
    assert actions == (Heal(MODEL, OLD),)
    assert placements[0].state is State.LOADING


def test_a_process_that_dies_again_and_again_is_failed_and_waited_for() -> None:
    observed = _serving(
        V_OLD, dead=frozenset({("m", V_OLD)}),
        troubles={("m", OLD.digest): _trouble(Failure.LOAD_FAILED, attempts=2)},
    )  # fmt: skip
    actions, placements = _plan(MODEL, observed)
    assert actions == ()
    assert placements[0].state is State.FAILED


def test_new_settings_load_the_model_again() -> None:
    assert _plan(MODEL, _serving(V_OLD, outdated=frozenset({"m"})))[0] == (Reload(MODEL),)


def test_a_model_that_is_at_work_on_is_left_alone() -> None:
    observed = _serving(V_OLD, outdated=frozenset({"m"}), dead=frozenset({("m", V_OLD)}), busy={"m": 0})
    assert _plan(MODEL, observed)[0] == ()


def test_what_does_not_fit_is_told_and_not_tried() -> None:
    observed = replace(
        _serving(V_OLD), fetched=_held(V_OLD, V_NEW), memory_limit=1000 * MIB,
        sizes={("m", V_OLD): 23 * MIB, ("m", V_NEW): 500 * MIB},
    )  # fmt: skip
    actions, placements = _plan(SWITCHING, observed)
    assert actions == ()
    assert (placements[0].state, placements[1].state) == (State.LOADED, State.FAILED)
    assert placements[1].reason is Failure.DOES_NOT_FIT
    assert placements[1].message == (
        "model m: needs about 1660 MiB, and 771 MiB of the inference server's 1000 MiB are free:"
        " serve fewer or smaller models"
    )


def test_without_a_limit_everything_fits() -> None:
    observed = Observed(engine={}, fetched=_held(V_OLD), sizes={("m", V_OLD): 2**50})
    assert _plan(MODEL, observed)[0] == (Load(MODEL, OLD, frozenset()),)


def test_a_minilm_fits_where_its_measured_memory_does() -> None:
    assert 200 * MIB < estimate(23 * MIB) < 300 * MIB


def test_placements_carry_how_often_and_how_long_it_was_loaded() -> None:
    observed = _serving(V_OLD, loads={("m", OLD.digest): 2}, load_seconds={("m", OLD.digest): 0.61234})
    placement = _plan(MODEL, observed)[1][0]
    assert (placement.loads, placement.load_seconds) == (2, 0.612)


@given(st.integers(1, 1000))
def test_waits_grow_to_a_minute_and_no_further(attempts: int) -> None:
    assert BACKOFF_SECONDS[0] <= backoff(attempts) <= 60
    assert backoff(attempts) <= backoff(attempts + 1)


versions = st.frozensets(st.sampled_from([V_OLD, V_NEW, 5]))
worlds = st.builds(
    Observed,
    now=st.just(50.0),
    engine=st.none() | st.fixed_dictionaries({"m": versions}),
    fetched=st.fixed_dictionaries({"m": versions}),
    written=st.fixed_dictionaries({"m": versions}),
    outdated=st.frozensets(st.just("m")),
    dead=st.frozensets(st.sampled_from([("m", V_OLD), ("m", V_NEW)])),
    troubles=st.dictionaries(
        st.sampled_from([("m", OLD.digest), ("m", NEW.digest)]),
        st.builds(Trouble, st.sampled_from(Failure), st.just("why"), st.integers(1, 3), st.sampled_from([0.0, 99.0])),
    ),
    fetching=st.frozensets(st.sampled_from([("m", V_OLD), ("m", V_NEW)])),
    busy=st.just({}) | st.just({"m": 0}) | st.just({"m": V_NEW}),
    unwanted_since=st.dictionaries(
        st.sampled_from([("m", V_OLD), ("m", V_NEW), ("m", 5)]), st.sampled_from([0.0, 49.0])
    ),
)
declarations = st.sampled_from(
    [None, MODEL, SWITCHING, replace(SWITCHING, active=NEW.digest), replace(MODEL, active="")]
)


@given(declarations, worlds)
def test_in_any_world_no_action_touches_a_good_wanted_version(model: Model | None, observed: Observed) -> None:
    actions, placements = _plan(model, observed)
    wanted = {revision.version for revision in model.revisions} if model else set()
    for action in actions:
        if isinstance(action, Retire):
            assert action.version not in wanted
        if isinstance(action, Load):
            assert observed.engine
            assert action.keep == observed.engine["m"]
        if isinstance(action, Remove):
            assert model is None
    assert len([action for action in actions if not isinstance(action, Fetch)]) <= 1
    assert [placement.revision for placement in placements] == [r.digest for r in (model.revisions if model else ())]


@given(declarations, worlds)
def test_in_any_world_only_what_the_engine_serves_counts_as_loaded(model: Model | None, observed: Observed) -> None:
    for placement, revision in zip(_plan(model, observed)[1], model.revisions if model else (), strict=True):
        served = (
            revision.version in (observed.engine or {}).get("m", ()) and ("m", revision.version) not in observed.dead
        )
        assert (placement.state is State.LOADED) == served
        assert (placement.state is State.FAILED) == (placement.reason is not None)


@pytest.mark.parametrize("reason", list(Failure))
def test_each_failure_is_reported_under_its_name(reason: Failure) -> None:
    observed = Observed(engine={}, troubles={("m", OLD.digest): _trouble(reason)})
    assert _plan(MODEL, observed)[1][0].reason is reason
