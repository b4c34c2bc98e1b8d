"""Requests that come together are computed together."""

import threading

import httpx2

from tests.integration.inference.texts import SENTENCES
from tests.integration.parts.serving import HOST, Serving
from tools.minilm import MODEL_ID


def _counts() -> tuple[int, int]:
    """(texts, executions) of the engine so far."""
    stats = httpx2.get(f"http://{HOST}:18002/v2/models/minilm/stats").json()["model_stats"]
    return sum(int(s["inference_count"]) for s in stats), sum(int(s["execution_count"]) for s in stats)


def test_thirty_two_clients_share_batches(serving: Serving) -> None:
    before = _counts()
    answers: list[httpx2.Response] = []
    start = threading.Barrier(32)

    def ask(number: int) -> None:
        with httpx2.Client(timeout=60) as http:
            start.wait()
            for sentence in SENTENCES[number : number + 5]:
                answers.append(http.post(f"{serving.url}/models/{MODEL_ID}", json={"inputs": sentence}))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts, executions = (after - earlier for after, earlier in zip(_counts(), before, strict=True))
    assert [answer.status_code for answer in answers] == [200] * 160
    assert texts / executions > 4
