"""A question finds the papers that are closest in meaning; vectors of two revisions are never compared."""

import json

import httpx2
import numpy as np
import pytest

from workloads.pages.search import Paper, Search, SearchError, best

PAPERS = (Paper("1", "North", 2000, "up"), Paper("2", "East", 2001, "right"))


def gateway(revision: list[str], asked: list[list[str]]) -> httpx2.AsyncClient:
    """Answers with a direction that depends on the revision, so that mixing two would show."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        inputs = json.loads(request.content)["inputs"]
        asked.append(inputs)
        turned = revision[0] == "b"
        vectors = [[0.0, 1.0] if ("North" in text or "north" in text) != turned else [1.0, 0.0] for text in inputs]
        return httpx2.Response(200, json=vectors, headers={"x-model-revision": revision[0]})

    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer))


def test_the_closest_comes_first() -> None:
    vectors = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    hits = best(PAPERS, vectors, np.array([0.6, 0.8], dtype=np.float32), 2)
    assert [(hit.paper.title, round(hit.score, 2)) for hit in hits] == [("North", 0.8), ("East", 0.6)]


async def test_a_question_costs_one_embedding_once_the_papers_are_known() -> None:
    asked: list[list[str]] = []
    search = Search(gateway(["a"], asked), "http://gateway", "org/m", PAPERS)
    assert (await search.ask("north")).hits[0].paper.title == "North"
    asked.clear()
    await search.ask("east")
    assert asked == [["east"]]


async def test_a_new_revision_embeds_the_papers_anew() -> None:
    revision = ["a"]
    search = Search(gateway(revision, []), "http://gateway", "org/m", PAPERS)
    await search.ask("north")
    revision[0] = "b"
    assert (await search.ask("north")).hits[0].paper.title == "North"


@pytest.mark.parametrize(("status", "advice"), [(401, "token"), (404, "apply examples"), (503, "in a moment")])
async def test_a_refusal_says_what_to_do(status: int, advice: str) -> None:
    refuse = httpx2.MockTransport(lambda request: httpx2.Response(status, json={"error": "no"}))
    search = Search(httpx2.AsyncClient(transport=refuse), "http://gateway", "org/m", PAPERS)
    with pytest.raises(SearchError, match=advice):
        await search.ask("anything")


async def test_what_is_no_gateway_is_told() -> None:
    page = httpx2.MockTransport(lambda request: httpx2.Response(404, text="404 page not found"))
    search = Search(httpx2.AsyncClient(transport=page), "http://gateway", "org/m", PAPERS)
    with pytest.raises(SearchError, match="expected the gateway"):
        await search.ask("anything")


async def test_a_switch_between_the_papers_and_the_question_compares_nothing() -> None:
    revisions = iter(["a", "a", "b"])

    def answer(request: httpx2.Request) -> httpx2.Response:
        count = len(json.loads(request.content)["inputs"])
        return httpx2.Response(200, json=[[1.0, 0.0]] * count, headers={"x-model-revision": next(revisions)})

    search = Search(httpx2.AsyncClient(transport=httpx2.MockTransport(answer)), "http://gateway", "org/m", PAPERS)
    with pytest.raises(SearchError, match="being replaced"):
        await search.ask("north")
