"""The page is asked by people and by programs, and says of what it can't find what there is."""

import httpx2
import pytest

from tests.unit.workloads.pages.test_cloud import collection_of
from tests.unit.workloads.pages.test_search import gateways
from workloads.pages.app import app
from workloads.pages.cloud import Cloud

PAPERS = collection_of()


async def get(path: str) -> httpx2.Response:
    async def seen() -> Cloud:
        return Cloud(collections=(PAPERS,))

    transport = httpx2.ASGITransport(app=app(seen, gateways([])))
    async with httpx2.AsyncClient(transport=transport, base_url="http://page") as client:
        return await client.get(path)


async def test_a_program_finds_what_it_asks_for() -> None:
    found = await get("/search?q=north&collection=papers")
    assert [hit["title"] for hit in found.json()["hits"]] == ["North"]


@pytest.mark.parametrize(("path", "status"), [("/search?q=north&collection=no-such", 404), ("/search", 400)])
async def test_what_can_not_be_answered_is_told(path: str, status: int) -> None:
    found = await get(path)
    assert found.status_code == status
    assert "expected" in found.json()["error"]


async def test_no_other_collection_answers_in_the_place_of_one_that_is_not_there() -> None:
    found = (await get("/?q=north&collection=no-such")).text
    assert "collection: expected one of papers, got no-such" in found
    assert "North" not in found
