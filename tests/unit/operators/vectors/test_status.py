"""The status says what is, why something is not Ready, and what to do."""

from dataclasses import replace

from homespun.api.vectors import VectorCollectionStatus
from operators.conditions import Finding
from operators.vectors.plan import Object, Observed, own_engine, progressing, status
from tests.unit.operators.vectors.worlds import answered, collection, config, held
from workloads.vectors.config import Config, Failure, State

ITEM = collection()
FOLLOWED = config(ITEM)


def shown(
    item: Object, observed: Observed, followed: Config = FOLLOWED
) -> tuple[VectorCollectionStatus, dict[str, Finding]]:
    what, findings = status(item, observed, followed, "http://gateway")
    return what, {finding.type: finding for finding in findings}


def test_ready_is_earned_by_a_write_and_a_query() -> None:
    observed = Observed((ITEM,), placements=(held(ITEM, rows=7),))
    assert shown(ITEM, observed)[1]["Ready"].reason == "Probing"
    what, findings = shown(ITEM, replace(observed, probes=answered(observed, FOLLOWED)))
    assert (findings["Ready"].status, what.state, what.rows) == ("True", "Loaded", 7)
    assert what.url == "http://gateway/v/papers"
    assert what.active is not None
    assert what.active.collection == "hs_papers_g1"


def test_an_answer_of_an_engine_of_the_past_is_not_enough() -> None:
    observed = Observed((ITEM,), placements=(held(ITEM),))
    past = answered(observed, FOLLOWED)
    came_back = replace(observed, placements=(held(ITEM, loads=2),), probes=past)
    assert shown(ITEM, came_back)[1]["Ready"].reason == "Probing"


def test_a_probe_that_failed_is_told() -> None:
    observed = Observed((ITEM,), placements=(held(ITEM),))
    what, findings = shown(ITEM, replace(observed, probes=answered(observed, FOLLOWED, "not found within 5 s")))
    assert (findings["Ready"].reason, findings["Ready"].message) == ("ProbeFailed", "not found within 5 s")
    assert what.last_failure is not None


def test_an_engine_that_is_away_is_told_and_the_rows_are_not_forgotten() -> None:
    before = replace(ITEM, status=VectorCollectionStatus(rows=7))
    gone = held(ITEM, State.FAILED, reason=Failure.ENGINE_UNREACHABLE, rows=7)
    what, findings = shown(before, Observed((before,), placements=(gone,)))
    assert (findings["Ready"].reason, findings["Ready"].message) == ("EngineUnreachable", "told why")
    assert what.rows == 7


def test_a_missing_key_lets_nobody_in_and_is_named() -> None:
    item = collection(access={"tokens": [{"secretRef": {"name": "me"}}]})
    followed = config(item)
    assert followed.collections[0].tokens == ("-",)
    accepted = shown(item, Observed((item,)), followed)[1]["Accepted"]
    assert (accepted.reason, "key token of Secret me" in accepted.message) == ("SecretNotFound", True)


def test_a_key_reaches_the_configuration_as_a_hash_only() -> None:
    item = collection(access={"tokens": [{"secretRef": {"name": "me"}}]})
    followed = config(item, secrets={("me", "token"): "pc_secret"})
    assert "pc_secret" not in str(followed)
    assert len(followed.collections[0].tokens[0]) == 64


def test_a_gateway_that_does_not_answer_makes_ready_unknown() -> None:
    assert shown(ITEM, Observed((ITEM,), placements=None))[1]["Ready"].status == "Unknown"


def test_no_server_is_told_with_where_to_look() -> None:
    ready = shown(ITEM, Observed((ITEM,), placements=()))[1]["Ready"]
    assert (ready.reason, "kubectl get pods" in ready.message) == ("NoServer", True)


def test_it_looks_again_soon_until_all_is_ready() -> None:
    observed = Observed((ITEM,), placements=(held(ITEM),))
    assert progressing(observed, FOLLOWED)
    assert not progressing(replace(observed, probes=answered(observed, FOLLOWED)), FOLLOWED)
    assert progressing(replace(observed, placements=(held(ITEM, State.CREATING),)), FOLLOWED)


def test_an_engine_of_ones_own_is_run_only_where_a_collection_is_kept_in_it() -> None:
    elsewhere = collection("far", engine={"address": "http://milvus.example.org:19530"})
    assert own_engine(FOLLOWED)
    assert not own_engine(config(elsewhere))
    assert config(elsewhere).collections[0].address == "http://milvus.example.org:19530"
