"""The status says what is, why something is not Ready, and what to do."""

from dataclasses import replace

from homespun.api.inference import InferenceModelStatus
from operators.conditions import Finding
from operators.inference.plan import Object, Observed, next_config, progressing, status
from tests.unit.operators.inference.worlds import PROBE_TOKEN, answered, config, digest, held, model, serving
from workloads.inference.config import Config, Failure, State

ITEM = model()
NEW = model(folder="v2")


def shown(item: Object, observed: Observed, followed: Config) -> tuple[InferenceModelStatus, dict[str, Finding]]:
    what, findings = status(item, observed, followed, "http://gateway")
    return what, {finding.type: finding for finding in findings}


def test_ready_is_earned_by_an_answer_of_the_active_revision() -> None:
    followed = serving(ITEM)
    observed = Observed((ITEM,), followed, placements=(held(ITEM),))
    assert shown(ITEM, observed, followed)[1]["Ready"].status == "False"
    observed = replace(observed, probes=answered(observed, followed))
    what, findings = shown(ITEM, observed, followed)
    assert (findings["Ready"].status, findings["UpToDate"].status, what.state) == ("True", "True", "Loaded")
    assert what.url == "http://gateway/models/org/minilm"


def test_an_answer_of_a_revision_that_is_not_active_yet_is_not_enough() -> None:
    followed = config(ITEM)
    observed = Observed((ITEM,), followed, placements=(held(ITEM),))
    observed = replace(observed, probes=answered(observed, followed))
    assert shown(ITEM, observed, followed)[1]["Ready"].status == "False"


def test_an_answer_of_an_engine_of_the_past_is_not_enough() -> None:
    followed = serving(ITEM)
    observed = Observed((ITEM,), followed, placements=(held(ITEM),))
    past = answered(observed, followed)
    healed = replace(observed, placements=(held(ITEM, loads=2),), probes=past)
    assert shown(ITEM, healed, followed)[1]["Ready"].reason == "Probing"


def test_a_failed_new_revision_is_told_while_the_old_one_stays_ready() -> None:
    both = config(NEW, config=serving(ITEM))
    broken = held(NEW, State.FAILED, reason=Failure.DIGEST_MISMATCH)
    observed = Observed((NEW,), both, placements=(held(ITEM), broken))
    observed = replace(observed, probes=answered(observed, both))
    what, findings = shown(NEW, observed, both)
    assert (findings["Ready"].status, what.state) == ("True", "Loaded")
    assert (findings["UpToDate"].status, findings["UpToDate"].reason) == ("False", "DigestMismatch")
    assert what.last_failure is not None
    assert (what.last_failure.revision, what.last_failure.message) == (digest(NEW), "told why")


def test_the_oldest_object_wins_a_duplicate_id_and_the_other_says_so() -> None:
    younger = model("copy", created="2026-02-01T00:00:00Z")
    followed = config(ITEM, younger)
    assert [entry.name for entry in followed.models] == ["minilm"]
    findings = shown(younger, Observed((ITEM, younger), followed), followed)[1]
    assert findings["Accepted"].reason == findings["Ready"].reason == "DuplicateModelId"
    assert "older object minilm" in findings["Ready"].message


def test_of_two_that_are_equally_old_the_one_that_is_served_stays() -> None:
    other = model("a-copy")
    assert [entry.name for entry in config(other, ITEM, config=serving(ITEM)).models] == ["minilm"]
    assert [entry.name for entry in config(other, ITEM, config=serving(other)).models] == ["a-copy"]


def test_a_missing_token_lets_nobody_in_and_is_named() -> None:
    item = model(access={"tokens": [{"secretRef": {"name": "me"}}]})
    followed = config(item)
    assert followed.models[0].tokens == ("-",)
    accepted = shown(item, Observed((item,), followed), followed)[1]["Accepted"]
    assert (accepted.reason, "key token of Secret me" in accepted.message) == ("SecretNotFound", True)


def test_a_token_reaches_the_configuration_as_a_hash_only() -> None:
    item = model(access={"tokens": [{"secretRef": {"name": "me"}}]})
    followed = config(item, secrets={("me", "token"): "hf_secret"})
    assert "hf_secret" not in str(followed)
    assert len(followed.models[0].tokens[0]) == 64


def test_a_gateway_that_does_not_answer_makes_ready_unknown() -> None:
    followed = serving(ITEM)
    assert shown(ITEM, Observed((ITEM,), followed, placements=None), followed)[1]["Ready"].status == "Unknown"


def test_no_server_is_told_with_where_to_look() -> None:
    ready = shown(ITEM, Observed((ITEM,), placements=()), config(ITEM))[1]["Ready"]
    assert (ready.reason, "kubectl get pods" in ready.message) == ("NoServer", True)


def test_it_looks_again_soon_until_all_is_ready() -> None:
    followed = serving(ITEM)
    observed = Observed((ITEM,), followed, placements=(held(ITEM),))
    assert progressing(observed, followed)
    assert not progressing(replace(observed, probes=answered(observed, followed)), followed)
    assert progressing(replace(observed, placements=(held(ITEM, State.LOADING),)), followed)


def test_a_changed_task_has_to_be_answered_anew() -> None:
    followed = serving(ITEM)
    observed = Observed((ITEM,), followed, placements=(held(ITEM),))
    past = answered(observed, followed)
    other = model(task="sentence-similarity")
    changed = Observed((other,), followed, placements=(held(other),), probes=past)
    assert shown(other, changed, next_config(changed, PROBE_TOKEN))[1]["Ready"].status == "False"
