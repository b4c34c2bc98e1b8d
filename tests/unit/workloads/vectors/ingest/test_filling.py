"""A run says Done only where all of the source is in the collection, whatever became of the runs before it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.unit.workloads.vectors.test_ingestion import INGESTION
from workloads.vectors.ingest import __main__ as program
from workloads.vectors.ingest import plain, services, spark
from workloads.vectors.ingestion import Ingestion, Report

OURS = replace(INGESTION, fields=(), near_duplicate_percent=0)


@dataclass
class Gateways:
    """Both gateways in memory: what they hold, what they were asked, and what they refuse."""

    vectors: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    embeds: Callable[[list[str]], bool] = lambda texts: True
    """Whether the model answers for these texts."""

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        route = request.url.path.removeprefix("/v/papers/")
        self.asked.append(route)
        if route.endswith("/feature-extraction"):
            texts = json.loads(request.content)["inputs"]
            found = httpx2.Response(200, json=[[1.0, 0.0] for _ in texts], headers={"x-model-revision": "r1"})
            return found if self.embeds(texts) else httpx2.Response(503)
        if route == "describe_index_stats":
            return httpx2.Response(200, json={"dimension": 2})
        if route == "vectors/upsert":
            self.vectors.update((one["id"], one) for one in json.loads(request.content)["vectors"])
            return httpx2.Response(200, json={})
        if route == "vectors/list":
            return httpx2.Response(200, json={"vectors": [{"id": one} for one in self.vectors]})
        assert route == "namespaces/__default__"
        if not self.vectors:
            return httpx2.Response(404, json={"code": 5, "message": "namespace __default__ not found"})
        return httpx2.Response(200, json={"record_count": len(self.vectors)})


@pytest.fixture
def gateways(monkeypatch: pytest.MonkeyPatch) -> Gateways:
    """They are waited for no longer than one try, and Spark's work is done in this process."""
    there = Gateways()
    monkeypatch.setattr(services, "client", lambda: httpx2.Client(transport=httpx2.MockTransport(there.answer)))
    monkeypatch.setattr(services, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(spark, "run", lambda job, source, stages, master: plain.run(job, source, stages))
    return there


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    (tmp_path / "library/papers").mkdir(parents=True)
    write(tmp_path, "a", "b", "c")
    return tmp_path


def write(claims: Path, *ids: str, text: str = "") -> None:
    lines = [json.dumps({"id": one, "title": one, "summary": f"{one}{text}"}) for one in ids]
    (claims / "library/papers/a.jsonl").write_text("\n".join(lines))


def run(claims: Path, ingestion: Ingestion = OURS) -> Report:
    return program._ingest(ingestion, claims, "local[1]")


def failing(gateways: Gateways, claims: Path) -> Report:
    """A run in which the model goes away after its first question."""
    gateways.embeds = lambda texts: texts == ["hello"]
    report = run(claims)
    gateways.embeds = lambda texts: True
    return report


def test_what_was_deleted_comes_back_even_if_the_run_that_saw_it_died(gateways: Gateways, claims: Path) -> None:
    assert run(claims).upserted == 3
    del gateways.vectors["b"]
    assert failing(gateways, claims).state == "Failed"
    report = run(claims)
    assert (report.state, report.upserted, report.unchanged) == ("Done", 1, 2)
    assert sorted(gateways.vectors) == ["a", "b", "c"]
    assert run(claims).engine == "none"


def test_a_collection_that_was_lost_is_filled_even_if_its_first_refill_dies_half_way(
    gateways: Gateways, claims: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workloads.vectors.ingest.delivery.BATCH", 1)
    assert run(claims).upserted == 3
    gateways.vectors.clear()
    gateways.embeds = lambda texts: "b" not in texts[0]
    assert run(claims).state == "Failed"
    assert sorted(gateways.vectors) == ["a"]
    gateways.embeds = lambda texts: True
    assert (run(claims).state, sorted(gateways.vectors)) == ("Done", ["a", "b", "c"])


def test_a_source_that_is_put_back_after_half_a_run_is_taken_in_again(gateways: Gateways, claims: Path) -> None:
    assert run(claims).state == "Done"
    before = dict(gateways.vectors)
    write(claims, "a", "b", "c", text=" changed")
    gateways.embeds = lambda texts: texts == ["hello"] or not any("c changed" in text for text in texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workloads.vectors.ingest.delivery.BATCH", 1)
        assert run(claims).state == "Failed"
    assert gateways.vectors != before
    write(claims, "a", "b", "c")
    assert run(claims).upserted == 2
    assert gateways.vectors == before


def test_where_nothing_is_known_no_ids_are_asked_for(gateways: Gateways, claims: Path) -> None:
    gateways.vectors |= {str(number): {} for number in range(5)}
    assert run(claims).state == "Done"
    assert "vectors/list" not in gateways.asked
    assert run(claims).state == "Done"
    assert "vectors/list" in gateways.asked


def test_a_vector_of_somebody_else_is_looked_past(gateways: Gateways, claims: Path) -> None:
    assert run(claims).state == "Done"
    gateways.vectors["foreign"] = {}
    assert [run(claims).engine for _ in range(2)] == ["none", "none"]
