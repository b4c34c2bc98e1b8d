"""A question is embedded, and its neighbours are asked for with the filters of the form."""

import json
from typing import Any

import httpx2
import pytest

from tests.unit.workloads.pages.test_cloud import collection_of
from workloads.pages.search import Question, Search, SearchError, hit

PAPERS = collection_of()


def gateways(asked: list[dict[str, Any]], status: int = 200, body: Any = None) -> Search:
    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append({"path": request.url.path, **json.loads(request.content)})
        if status != 200:
            return httpx2.Response(status, json=body)
        if request.url.path.startswith("/models"):
            return httpx2.Response(200, json=[0.6, 0.8])
        return httpx2.Response(200, json={"matches": [{"id": "1", "score": 0.9, "metadata": {"title": "North"}}]})

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return Search(http, "http://inference", "http://vectors")


async def test_a_question_costs_one_embedding_and_one_query() -> None:
    asked: list[dict[str, Any]] = []
    answer = await gateways(asked).ask(PAPERS, Question("north"))
    assert [one["path"] for one in asked] == ["/models/org/m/pipeline/feature-extraction", "/v/papers/query"]
    assert asked[1]["vector"] == [0.6, 0.8]
    assert "filter" not in asked[1]
    assert answer.hits[0].title == "North"


async def test_year_and_venue_are_filters() -> None:
    asked: list[dict[str, Any]] = []
    await gateways(asked).ask(PAPERS, Question("north", since=2000, until=2010, venue="NeurIPS"))
    assert asked[1]["filter"] == {"year": {"$gte": 2000, "$lte": 2010}, "venue": {"$eq": "NeurIPS"}}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, {"error": "no"}, "no; it asks for a token"),
        (503, {"message": "away"}, "away; it is on its way, try again"),
        (404, {"error": "unknown"}, "unknown"),
        (500, [], "500"),
    ],
)
async def test_what_goes_wrong_is_told_with_what_to_do(status: int, body: Any, told: str) -> None:
    with pytest.raises(SearchError, match=told):
        await gateways([], status, body).ask(PAPERS, Question("north"))


def test_a_record_without_a_title_is_called_by_its_id() -> None:
    found = hit({"id": "7", "score": 0.5})
    assert (found.title, found.year, found.venue, found.authors) == ("7", None, "", ())


def test_a_record_is_shown_with_what_it_has() -> None:
    metadata = {"title": "North", "year": 2000.0, "venue": "X", "authors": ["A", "B"], "summary": "up"}
    found = hit({"id": "7", "score": 0.5, "metadata": metadata})
    assert (found.title, found.year, found.venue) == ("North", 2000, "X")
    assert (found.authors, found.summary) == (("A", "B"), "up")
