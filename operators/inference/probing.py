"""The golden probe: a real request through the gateway, and what makes its answer a good one."""

import math
from typing import Any, Final

from httpx2 import AsyncClient, HTTPError

from operators.inference.plan import Probe
from workloads.edge.document import PROBE_TOKEN_HEADER
from workloads.inference.config import REVISION_HEADER

DEADLINE: Final = 10.0
"""Seconds within which a probe must be answered."""


async def ask(http: AsyncClient, gateway: str, probe: Probe, token: str) -> str:
    """Send the probe. Returns '' for a good answer, else what was wrong with it."""
    headers = {PROBE_TOKEN_HEADER: token}
    if not probe.switched:
        headers[REVISION_HEADER] = probe.revision
    url = f"{gateway}/models/{probe.model_id}/pipeline/{probe.task}"
    try:
        answer = await http.post(url, json=request(probe), headers=headers, timeout=DEADLINE)
    except HTTPError as error:
        return f"the probe got no answer: {type(error).__name__}"
    if answer.status_code != 200:
        return f"the probe was answered {answer.status_code}: {answer.text[:300]}"
    try:
        return judge(probe.task, answer.json())
    except ValueError:
        return "the probe's answer is not JSON"


def request(probe: Probe) -> dict[str, Any]:
    """The body of the probe: what the task's clients send."""
    if probe.task == "sentence-similarity":
        return {"inputs": {"source_sentence": probe.inputs, "sentences": [probe.inputs]}}
    return {"inputs": probe.inputs}


def judge(task: str, answer: Any) -> str:
    """'' for an answer that a working model can give, else what is wrong with it."""
    numbers = isinstance(answer, list) and answer and all(isinstance(n, int | float) for n in answer)
    if not numbers:
        return "the probe's answer is not a list of numbers"
    if not all(math.isfinite(n) for n in answer):
        return "the probe's answer holds numbers that are not finite"
    if task == "sentence-similarity" and not answer[0] > 0.99:
        return f"a sentence and itself: expected a similarity of 1, got {answer[0]:.3f}"
    if task == "feature-extraction" and not any(answer):
        return "the probe's answer is all zeros"
    return ""
