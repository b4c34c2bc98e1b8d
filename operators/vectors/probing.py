"""The golden probe: a vector written and found again through the gateway, in a namespace that nobody else sees."""

import asyncio
import math
import time
from typing import Any, Final

from httpx2 import AsyncClient, HTTPError, Response

from operators.vectors.plan import Probe
from workloads.edge.document import PROBE_TOKEN_HEADER
from workloads.vectors.config import PROBE_NAMESPACE

DEADLINE: Final = 10.0
"""Seconds within which each of the two must be answered."""
VISIBLE_SECONDS: Final = 5.0
"""Within which a written vector must be found; Milvus shows it within some 0.2 s."""
AGAIN_SECONDS: Final = 0.2
ID: Final = "probe"


async def ask(http: AsyncClient, gateway: str, probe: Probe, token: str) -> str:
    """Write and query. Returns '' for good answers, else what was wrong with them."""
    url, headers = f"{gateway}/v/{probe.collection}", {PROBE_TOKEN_HEADER: token}

    async def post(path: str, body: dict[str, Any]) -> Response:
        return await http.post(f"{url}{path}", json=body, headers=headers, timeout=DEADLINE)

    vector = direction(probe.dimension)
    try:
        written = await post(
            "/vectors/upsert", {"vectors": [{"id": ID, "values": vector}], "namespace": PROBE_NAMESPACE}
        )
        if written.status_code != 200:
            return f"the probe's write was answered {written.status_code}: {written.text[:300]}"
        end = time.monotonic() + VISIBLE_SECONDS
        while True:
            found = await post("/query", {"vector": vector, "topK": 1, "namespace": PROBE_NAMESPACE})
            if found.status_code != 200:
                return f"the probe's query was answered {found.status_code}: {found.text[:300]}"
            if not (wrong := judge(found.json())) or time.monotonic() > end:
                return wrong
            await asyncio.sleep(AGAIN_SECONDS)
    except HTTPError as error:
        return f"the probe got no answer: {type(error).__name__}"
    except ValueError:
        return "the probe's answer is not JSON"


def direction(dimension: int) -> list[float]:
    """A vector of length 1."""
    return [1 / math.sqrt(dimension)] * dimension


def judge(answer: Any) -> str:
    """'' for an answer that holds the probe's vector, else what is wrong with it."""
    matches = answer.get("matches") if isinstance(answer, dict) else None
    if not isinstance(matches, list):
        return "the probe's answer holds no matches"
    if not matches or matches[0].get("id") != ID:
        return f"the vector that was written was not found within {VISIBLE_SECONDS:.0f} s"
    score = matches[0].get("score")
    if not isinstance(score, int | float) or not math.isfinite(score):
        return "the probe's answer holds a score that is no number"
    return ""
