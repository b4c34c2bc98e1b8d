"""From a file to searchable vectors: what is right is found, what is wrong is told, what is done is not done again."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.parts.ingestion import Ingest
from tests.integration.parts.serving import Serving
from tests.integration.parts.vectors import Vectors
from tests.waiting import until
from tools import minilm
from workloads.vectors.ingest.delivery import BATCH
from workloads.vectors.ingestion import WRONG_SETTINGS

Make = Callable[[str], Ingest]


def embedded(embedder: Serving) -> int:
    """How many texts the gateway has embedded so far, by its log."""
    lines = (json.loads(line) for line in embedder.gateway.log.read_text().splitlines() if '"texts"' in line)
    return sum(line["texts"] for line in lines)


def stored(keeper: Vectors, namespace: str) -> int:
    namespaces = keeper.post("/describe_index_stats", {}).json()["namespaces"]
    return int(namespaces.get(namespace, {"vectorCount": 0})["vectorCount"])


def fetch(keeper: Vectors, namespace: str, identity: str) -> Any:
    found = keeper.get("/vectors/fetch", params={"ids": identity, "namespace": namespace}).json()
    return found["vectors"].get(identity)


@pytest.fixture(scope="module")
def first(ingest: Make, papers: list[str]) -> Ingest:
    """A job over all papers, copies of some, and lines that are none."""
    job = ingest("first")
    job.write(*papers, name="papers.jsonl")
    one, other = json.loads(papers[0]), json.loads(papers[17])
    job.write(
        {**one, "id": "q01", "title": f"  {one['title'].upper()} "},
        {**other, "id": "q18", "summary": other["summary"].replace("huge", "large")},
        '{"id": "q20", "title": "cut of',
        {"id": "q21", "title": "No summary"},
        {"id": "q22", "title": "A", "summary": "B", "year": "soon"},
        name="more [µ 1].jsonl",
    )
    return job


def test_counts_add_up_and_a_question_finds_its_paper(
    first: Ingest, papers: list[str], keeper: Vectors, embedder: Serving
) -> None:
    report = first.run()
    assert (report.state, report.engine, report.read) == ("Done", "spark", len(papers) + 5)
    assert (report.duplicates, report.quarantined, report.upserted, report.unchanged) == (2, 3, len(papers), 0)
    reasons = sorted(entry["reason"] for entry in first.quarantine())
    assert [reason.split(":")[0] for reason in reasons] == ["not JSON", "summary", "year"]
    until("all vectors", lambda: stored(keeper, "first") == len(papers))
    question = embedder.ask(minilm.MODEL_ID, {"inputs": "how do transformers weigh words"}).json()
    body = {"vector": question, "topK": 1, "namespace": "first", "filter": {"year": 2017}, "includeMetadata": True}
    best = keeper.post("/query", body).json()["matches"][0]
    assert (best["id"], best["metadata"]["venue"]) == ("p01", "NeurIPS")
    assert "id" not in best["metadata"]


def test_a_second_run_embeds_and_upserts_nothing_and_starts_no_spark(
    first: Ingest, papers: list[str], embedder: Serving
) -> None:
    before = embedded(embedder)
    report = first.run()
    assert (report.engine, report.upserted, report.unchanged) == ("none", 0, len(papers))
    assert (report.duplicates, report.quarantined) == (2, 3)
    assert embedded(embedder) - before == 1  # the question which revision answers


def test_a_changed_record_and_a_new_one_are_embedded_and_nothing_else(
    first: Ingest, papers: list[str], keeper: Vectors, embedder: Serving
) -> None:
    before = embedded(embedder)
    old = fetch(keeper, "first", "p02")
    changed = {**json.loads(papers[1]), "summary": "Something else."}
    first.write(changed, {**changed, "id": "new", "title": "Gardening", "summary": "On roses."}, name="zz.jsonl")
    report = first.run()
    assert (report.engine, report.upserted, report.unchanged) == ("python", 2, len(papers) - 1)
    assert embedded(embedder) - before == 3
    until("the change", lambda: fetch(keeper, "first", "p02")["metadata"]["summary"] == "Something else.")
    assert fetch(keeper, "first", "p02")["values"] != old["values"]


def test_a_killed_run_is_gone_on_with(ingest: Make, papers: list[str], keeper: Vectors, embedder: Serving) -> None:
    before = embedded(embedder)
    job = ingest("killed")
    job.write(*papers)
    process = job.start()
    process.until("a first batch", lambda: job.delivered() >= 1)
    process.kill()
    done = job.delivered()
    assert done < len(papers)
    report = job.run()
    assert (report.state, report.read, report.upserted) == ("Done", len(papers), len(papers) - done)
    assert report.unchanged == done
    until("all vectors", lambda: stored(keeper, "killed") == len(papers))
    assert embedded(embedder) - before <= len(papers) + 2 * BATCH + 2  # a batch of each worker, and both runs' question


def test_an_embedder_that_is_away_for_a_while_is_waited_for(
    ingest: Make, papers: list[str], keeper: Vectors, embedder: Serving
) -> None:
    job = ingest("away")
    job.write(*papers)
    process = job.start()
    process.until("a first batch", lambda: job.delivered() >= 1)
    embedder.gateway.kill()
    before = job.delivered()
    embedder.start_gateway()
    report = job.ended(process)
    assert before < len(papers)
    assert (report.state, report.upserted) == ("Done", len(papers))
    until("all vectors", lambda: stored(keeper, "away") == len(papers))


def test_a_collection_that_was_made_anew_is_filled_again(first: Ingest, papers: list[str], keeper: Vectors) -> None:
    assert keeper.post("/vectors/delete", {"deleteAll": True, "namespace": "first"}).status_code == 200
    until("nothing", lambda: stored(keeper, "first") == 0)
    assert first.run().upserted == len(papers) + 1


def test_vectors_that_somebody_deleted_come_back_though_the_source_is_the_same(
    ingest: Make, papers: list[str], keeper: Vectors, embedder: Serving
) -> None:
    job = ingest("deleted")
    job.write(*papers)
    assert job.run().upserted == len(papers)
    foreign = {"id": "not-ours", "values": [1.0] * 384}
    assert keeper.post("/vectors/upsert", {"vectors": [foreign], "namespace": "deleted"}).status_code == 200
    assert keeper.post("/vectors/delete", {"ids": ["p01", "p02"], "namespace": "deleted"}).status_code == 200
    until("their end", lambda: stored(keeper, "deleted") == len(papers) - 1)
    before = embedded(embedder)
    report = job.run()
    assert (report.engine, report.upserted, report.unchanged) == ("python", 2, len(papers) - 2)
    assert embedded(embedder) - before == 3
    until("them again", lambda: fetch(keeper, "deleted", "p01") is not None)
    assert job.run().engine == "none"  # a vector of somebody else is looked past


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id_field": "key"}, "idField: expected a field 'key' in the records of pvc://library/papers/*.jsonl, found"),
        ({"source": "pvc://library/nothing/*"}, "expected files, found none"),
    ],
)
def test_wrong_settings_end_it_for_good_and_say_what_is_wrong(
    first: Ingest, change: dict[str, Any], message: str
) -> None:
    report = replace(first, ingestion=replace(first.ingestion, **change)).run(WRONG_SETTINGS)
    assert report.state == "Refused"
    assert message in report.message
