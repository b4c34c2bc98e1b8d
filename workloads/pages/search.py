"""A collection searched by meaning: the question is embedded as its records were, and its neighbours are asked for."""

import time
from dataclasses import dataclass
from typing import Any

from httpx2 import AsyncClient, HTTPError, Response

from workloads.pages.cloud import Collection


class SearchError(Exception):
    """The search has no answer now; the message says why and what to do."""


class UnknownCollection(SearchError):
    """There is none of the name that was asked for."""


@dataclass(frozen=True)
class Question:
    """What is asked, and what an answer must be like."""

    text: str
    since: int | None = None
    """Year."""
    until: int | None = None
    """Year."""
    venue: str = ""

    @property
    def filter(self) -> dict[str, Any]:
        """In Pinecone's words (https://docs.pinecone.io/guides/search/filter-by-metadata); {} filters nothing."""
        years = {"$gte": self.since, "$lte": self.until}
        wanted = {name: year for name, year in years.items() if year is not None}
        return ({"year": wanted} if wanted else {}) | ({"venue": {"$eq": self.venue}} if self.venue else {})


@dataclass(frozen=True)
class Hit:
    """A record, and how near it is to the question."""

    id: str
    score: float
    title: str
    year: int | None
    venue: str
    authors: tuple[str, ...]
    summary: str


@dataclass(frozen=True)
class Answer:
    """What was found, best first, and how long it took in milliseconds."""

    hits: tuple[Hit, ...]
    milliseconds: float


class Search:
    """Both gateways."""

    def __init__(self, http: AsyncClient, inference: str, vectors: str) -> None:
        self._http, self._inference, self._vectors = http, inference, vectors

    async def ask(self, collection: Collection, question: Question, count: int = 5) -> Answer:
        """The records closest in meaning to the question. Raises SearchError."""
        started = time.perf_counter()
        url = f"{self._inference}/models/{collection.model_id}/pipeline/feature-extraction"
        vector = await self._post(url, {"inputs": question.text})
        body = {"vector": vector, "topK": count, "includeMetadata": True}
        if question.filter:
            body["filter"] = question.filter
        found = await self._post(f"{self._vectors}/v/{collection.name}/query", body)
        return Answer(tuple(map(hit, found["matches"])), (time.perf_counter() - started) * 1000)

    async def _post(self, url: str, body: dict[str, Any]) -> Any:
        try:
            answer = await self._http.post(url, json=body, timeout=30)
        except HTTPError as error:
            raise SearchError(
                f"the gateway does not answer ({type(error).__name__}); see `kubectl -n homespun-system get pods`"
            ) from error
        try:
            said = answer.json()
        except ValueError as error:
            raise SearchError(f"expected a gateway at {url}, found something else ({answer.status_code})") from error
        if answer.status_code != 200:
            raise SearchError(_reason(answer, said))
        return said


def hit(match: dict[str, Any]) -> Hit:
    """A match of the API; a record without a title is called by its id."""
    metadata = match.get("metadata") or {}
    year, authors = metadata.get("year"), metadata.get("authors")
    return Hit(
        id=match["id"],
        score=float(match["score"]),
        title=str(metadata.get("title") or match["id"]),
        year=int(year) if isinstance(year, int | float) else None,
        venue=str(metadata.get("venue") or ""),
        authors=tuple(map(str, authors)) if isinstance(authors, list) else (),
        summary=str(metadata.get("summary") or ""),
    )


def _reason(answer: Response, body: Any) -> str:
    said = str(body.get("error") or body.get("message") or "") if isinstance(body, dict) else ""
    advice = {
        401: "it asks for a token, which the page has none of",
        503: "it is on its way, try again in a moment",
    }
    status = answer.status_code
    return f"{said or status}; {advice[status]}" if status in advice else f"{said or status}"
