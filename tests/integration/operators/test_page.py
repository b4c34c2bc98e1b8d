"""The page shows what there is and why something is not Ready, and says what a search lacks."""

import httpx2
import pytest

from tests.integration.operators.objects import apply, condition, inference_model
from tests.integration.parts.data_plane import DataPlane
from tests.integration.parts.kubernetes import Cluster
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("running_operator", "no_objects", "plane")


def test_what_is_not_ready_is_told_with_its_reason(cluster: Cluster, page: str) -> None:
    apply(cluster, inference_model("lost", "nowhere"))
    until("the reason", lambda: condition(cluster, "lost", "Ready").get("reason") == "SourceNotFound")
    shown = httpx2.get(page).text
    assert "there is no folder nowhere on claim models; `make model FROM=…` copies one" in shown
    assert ">Failed<" in shown


def test_a_search_without_a_collection_says_what_to_apply(page: str) -> None:
    assert "apply -f examples/vectors/papers.yaml" in httpx2.get(page, params={"q": "anything"}, timeout=30).text
    refused = httpx2.get(f"{page}search", params={"q": "anything"}, timeout=30)
    assert refused.status_code == 503
    assert "apply -f examples/vectors/papers.yaml" in refused.json()["error"]
    assert httpx2.get(f"{page}search").status_code == 400


def test_what_is_asked_comes_back_as_text(page: str) -> None:
    shown = httpx2.get(page, params={"q": "<script>alert(1)</script>"}, timeout=30).text
    assert "<script>" not in shown


def test_without_the_api_server_the_page_answers_and_says_so(cluster: Cluster, plane: DataPlane, page: str) -> None:
    cluster.stop_api_server()
    try:
        assert "API server can&#39;t be read" in httpx2.get(page, timeout=60).text
    finally:
        cluster.start_api_server()
