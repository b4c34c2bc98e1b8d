"""Who is away is waited for; who refuses is not asked again."""

from dataclasses import replace

import httpx2
import pytest

from tests.unit.workloads.vectors.test_ingestion import INGESTION
from workloads.vectors.ingest import services
from workloads.vectors.ingest.errors import Refused, SettingsError, Unavailable
from workloads.vectors.ingest.services import Waiting, post

URL = "http://gateway/v/papers/vectors/upsert"


def answering(*answers: httpx2.Response | Exception) -> httpx2.Client:
    left = list(answers)

    def answer(request: httpx2.Request) -> httpx2.Response:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return httpx2.Client(transport=httpx2.MockTransport(answer))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, on a clock that they alone move on."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr(services, "Waiting", lambda: Waiting(now=lambda: sum(pauses)))
    return pauses


def test_a_gateway_says_when_to_come_again(slept: list[float]) -> None:
    busy = httpx2.Response(503, headers={"retry-after": "7"})
    away = httpx2.ConnectError("refused")
    assert post(answering(busy, away, httpx2.Response(200)), URL, {}, {}).status_code == 200
    assert slept == [7, 2.0]


def test_one_that_stays_away_ends_the_run_for_now(slept: list[float]) -> None:
    with pytest.raises(Unavailable, match="503 loading, for"):
        post(answering(httpx2.Response(503, json={"error": "loading"})), URL, {}, {})
    assert sum(slept) > services.PATIENCE_SECONDS
    assert max(slept) == services.LONGEST_WAIT


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (413, Refused), (401, SettingsError)])
def test_what_can_not_become_better_is_not_tried_again(slept: list[float], status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="too wide"):
        post(answering(httpx2.Response(status, json={"code": 3, "message": "too wide"})), URL, {}, {})
    assert not slept


def test_a_collection_may_be_unknown_for_a_while_but_not_for_ever(slept: list[float]) -> None:
    missing = httpx2.Response(404, json={"message": "no such index"})
    assert post(answering(missing, httpx2.Response(200)), URL, {}, {}).status_code == 200
    with pytest.raises(SettingsError, match="no such index; apply the object"):
        post(answering(missing), URL, {}, {})


def test_ids_come_page_by_page_and_a_namespace_that_is_not_there_holds_none() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/namespaces/my own"):
            return httpx2.Response(404, json={"message": "namespace my own not found"})
        assert request.url.params["namespace"] == "my own"
        if request.url.params.get("paginationToken") == "b":
            return httpx2.Response(200, json={"vectors": [{"id": "c"}]})
        return httpx2.Response(200, json={"vectors": [{"id": "a"}, {"id": "b"}], "pagination": {"next": "b"}})

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    collection = services.Collection(replace(INGESTION, namespace="my own"), http)
    assert list(collection.ids()) == ["a", "b", "c"]
    assert collection.count() == 0


def test_a_collection_that_is_unknown_is_no_empty_one(slept: list[float]) -> None:
    collection = services.Collection(
        INGESTION, answering(httpx2.Response(404, json={"message": "index papers not found"}))
    )
    with pytest.raises(SettingsError, match="404 index papers not found; apply the object"):
        collection.count()
    assert sum(slept) > services.UNKNOWN_SECONDS


def test_tokens_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(services.API_KEY, raising=False)
    assert services._token("api-key", services.API_KEY) == {}
    monkeypatch.setenv(services.API_KEY, "mine\n")  # as of a file that an editor has written
    assert services._token("api-key", services.API_KEY) == {"api-key": "mine"}
