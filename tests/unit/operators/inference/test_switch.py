"""A revision is loaded beside the one that answers, probed, and only then switched to."""

from dataclasses import replace

from homespun.api.inference import InferenceModelStatus, RevisionsStatus, RevisionStatus
from operators.inference.plan import Observed, next_config, probes
from tests.unit.operators.inference.worlds import PROBE_TOKEN, answered, config, digest, held, model, serving
from workloads.inference.config import Config, Failure, State

OLD, NEW = model(folder="v1"), model(folder="v2")


def test_a_first_revision_is_loaded_but_not_active() -> None:
    (entry,) = config(OLD).models
    assert entry.active == ""
    assert [revision.digest for revision in entry.revisions] == [digest(OLD)]


def test_a_revision_that_passed_its_probe_becomes_active() -> None:
    assert serving(OLD).models[0].active == digest(OLD)


def test_a_new_revision_is_loaded_beside_the_one_that_answers() -> None:
    (entry,) = config(NEW, config=serving(OLD)).models
    assert entry.active == digest(OLD)
    assert [revision.digest for revision in entry.revisions] == [digest(OLD), digest(NEW)]


def test_a_new_revision_that_passed_replaces_the_old_one() -> None:
    both = config(NEW, config=serving(OLD))
    observed = Observed((NEW,), both, placements=(held(OLD), held(NEW)))
    (entry,) = next_config(replace(observed, probes=answered(observed, both)), PROBE_TOKEN).models
    assert entry.active == digest(NEW)
    assert [revision.digest for revision in entry.revisions] == [digest(NEW)]


def test_a_new_revision_that_failed_its_probe_leaves_the_old_one_answering() -> None:
    both = config(NEW, config=serving(OLD))
    observed = Observed((NEW,), both, placements=(held(OLD), held(NEW)))
    after = next_config(replace(observed, probes=answered(observed, both, "all zeros")), PROBE_TOKEN)
    assert after.models[0].active == digest(OLD)


def test_a_new_revision_that_cannot_be_loaded_leaves_the_old_one_answering() -> None:
    both = config(NEW, config=serving(OLD))
    broken = held(NEW, State.FAILED, reason=Failure.INVALID_MODEL)
    after = config(NEW, config=both, placements=(held(OLD), broken))
    assert after == both


def test_going_back_to_the_active_revision_drops_the_other() -> None:
    both = config(NEW, config=serving(OLD))
    assert config(OLD, config=both) == serving(OLD)


def test_only_a_loaded_revision_is_probed() -> None:
    both = config(NEW, config=serving(OLD))
    observed = Observed((NEW,), both, placements=(held(OLD), held(NEW, State.LOADING)))
    assert [probe.revision for probe in probes(observed, both)] == [digest(OLD)]


def test_a_reloaded_engine_makes_the_probe_another_one() -> None:
    followed = serving(OLD)
    first = probes(Observed((OLD,), followed, placements=(held(OLD),)), followed)
    healed = probes(Observed((OLD,), followed, placements=(held(OLD, loads=2),)), followed)
    assert first != healed


def test_a_lost_configuration_is_rebuilt_from_the_status() -> None:
    remembered = RevisionStatus(digest=digest(OLD), uri="pvc://models/v1")
    status = InferenceModelStatus(revision=RevisionsStatus(active=remembered))
    after = config(replace(NEW, status=status), config=Config())
    assert after == config(NEW, config=serving(OLD))


def test_an_edited_configuration_that_names_an_unknown_revision_is_not_believed() -> None:
    edited = Config((replace(serving(OLD).models[0], active="f" * 64),))
    assert config(OLD, config=edited).models[0].active == ""


def test_planning_again_changes_nothing() -> None:
    followed = serving(OLD)
    assert config(OLD, config=followed, placements=(held(OLD),)) == followed
