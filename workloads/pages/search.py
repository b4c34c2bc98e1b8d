"""A few papers, found by meaning: embedded once by the served model; a question costs one embedding."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from httpx2 import AsyncClient, HTTPError

from workloads.inference.config import REVISION_ANSWER_HEADER

Vectors = npt.NDArray[np.float32]


class SearchError(Exception):
    """The search has no answer now; the message says why and what to do."""


@dataclass(frozen=True)
class Paper:
    """One record of the library."""

    id: str
    title: str
    year: int
    summary: str

    @property
    def text(self) -> str:
        """What is embedded."""
        return f"{self.title}. {self.summary}"


@dataclass(frozen=True)
class Hit:
    """A paper and its cosine similarity to the question."""

    paper: Paper
    score: float


@dataclass(frozen=True)
class Answer:
    """What was found, best first, and how long it took in milliseconds."""

    hits: tuple[Hit, ...]
    milliseconds: float


def read(path: Path) -> tuple[Paper, ...]:
    """The papers of a JSONL file."""
    rows = (json.loads(line) for line in path.read_text().splitlines() if line.strip())
    return tuple(Paper(row["id"], row["title"], int(row["year"]), row["summary"]) for row in rows)


def best(papers: Sequence[Paper], vectors: Vectors, question: Vectors, count: int) -> tuple[Hit, ...]:
    """The `count` papers most similar to the question. `vectors` (n, d), `question` (d), all of length 1."""
    scores = vectors @ question
    order = np.argsort(-scores, kind="stable")[:count]
    return tuple(Hit(papers[index], float(scores[index])) for index in order)


class Search:
    """The library, and the vectors that the present revision of the model gives it."""

    def __init__(self, http: AsyncClient, gateway: str, model_id: str, papers: tuple[Paper, ...]) -> None:
        self._http = http
        self._url = f"{gateway}/models/{model_id}/pipeline/feature-extraction"
        self._papers = papers
        self._vectors: Vectors | None = None
        self._revision = ""

    async def ask(self, question: str, count: int = 5) -> Answer:
        """The papers closest in meaning to the question. Raises SearchError."""
        started = time.perf_counter()
        embedded, revision = await self._embed([question])
        if self._vectors is None or revision != self._revision:
            # Vectors of two revisions must not be compared.
            self._vectors, self._revision = await self._embed([paper.text for paper in self._papers])
            started = time.perf_counter()
            embedded, revision = await self._embed([question])
            if revision != self._revision:
                raise SearchError("the model is being replaced just now; try again in a moment")
        hits = best(self._papers, self._vectors, embedded[0], count)
        return Answer(hits, (time.perf_counter() - started) * 1000)

    async def _embed(self, texts: list[str]) -> tuple[Vectors, str]:
        """Vectors of length 1, (n, d), and the revision that made them."""
        try:
            answer = await self._http.post(self._url, json={"inputs": texts, "normalize": True}, timeout=30)
        except HTTPError as error:
            raise SearchError(
                f"the gateway does not answer ({type(error).__name__}); see `kubectl -n homespun-system get pods`"
            ) from error
        try:
            body = answer.json()
        except ValueError as error:
            raise SearchError(
                f"expected the gateway at {self._url}, found something else ({answer.status_code})"
            ) from error
        if answer.status_code != 200:
            raise SearchError(_reason(answer.status_code, body))
        return np.asarray(body, dtype=np.float32), answer.headers.get(REVISION_ANSWER_HEADER, "")


def _reason(status: int, body: Any) -> str:
    said = body.get("error", "") if isinstance(body, dict) else ""
    advice = {
        401: "this model asks for a token, which the page has none of",
        404: "apply examples/inference/minilm.yaml to search with it",
        503: "it is on its way, try again in a moment",
    }
    return f"{said or status}; {advice[status]}" if status in advice else f"{said or status}"
