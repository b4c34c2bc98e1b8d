"""The page's routes: one page, with or without a question, and its search for programs."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from workloads.pages.cloud import CURVE_HEIGHT, CURVE_WIDTH, Cloud, Collection
from workloads.pages.search import Answer, Question, Search, SearchError, UnknownCollection

TEMPLATES: Final = Jinja2Templates(directory=Path(__file__).parent / "templates")
LONGEST_QUESTION: Final = 500
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def app(read_cloud: Callable[[], Awaitable[Cloud]], search: Search) -> Starlette:
    """The page, over what is read from the cluster and the search over the gateways."""

    async def page(request: Request) -> Response:
        seen, answer, trouble = await read_cloud(), None, ""
        question, chosen = _question(request), None
        try:
            chosen = _chosen(request, seen)
            if question.text:
                answer = await _answer(search, chosen, question)
        except SearchError as error:
            trouble = str(error)
        context = {
            "cloud": seen,
            "question": question,
            "chosen": chosen,
            "answer": answer,
            "trouble": trouble,
            "width": CURVE_WIDTH,
            "height": CURVE_HEIGHT,
        }
        return TEMPLATES.TemplateResponse(request, "page.html", context, headers=HEADERS)

    async def found(request: Request) -> Response:
        """The search box for programs: `?q=`, and what else the form has; an answer in JSON."""
        question = _question(request)
        if not question.text:
            return JSONResponse({"error": "expected a question, ?q=…, got none"}, status_code=400, headers=HEADERS)
        try:
            answer = await _answer(search, _chosen(request, await read_cloud()), question)
        except SearchError as error:
            status = 404 if isinstance(error, UnknownCollection) else 503
            return JSONResponse({"error": str(error)}, status_code=status, headers=HEADERS)
        hits = [{"id": hit.id, "title": hit.title, "year": hit.year, "venue": hit.venue, "score": round(hit.score, 4)}
                for hit in answer.hits]  # fmt: skip
        return JSONResponse({"milliseconds": round(answer.milliseconds, 1), "hits": hits}, headers=HEADERS)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/", page), Route("/search", found), Route("/healthz", healthz)])


async def _answer(search: Search, chosen: Collection | None, question: Question) -> Answer:
    if chosen is None:
        raise SearchError(
            "there is no collection to search yet: `make data FROM=examples/papers`, then"
            " `kubectl apply -f examples/vectors/papers.yaml`"
        )
    return await search.ask(chosen, question)


def _chosen(request: Request, seen: Cloud) -> Collection | None:
    """The collection that is asked: the one that is named, else the first whose records were embedded here.

    Raises UnknownCollection.
    """
    wanted = request.query_params.get("collection", "")
    searchable = {one.name: one for one in seen.collections if one.model_id}
    if wanted and searchable and wanted not in searchable:
        raise UnknownCollection(f"collection: expected one of {', '.join(searchable)}, got {wanted}")
    return searchable.get(wanted) or next(iter(searchable.values()), None)


def _question(request: Request) -> Question:
    asked = request.query_params
    return Question(
        text=asked.get("q", "").strip()[:LONGEST_QUESTION],
        since=_year(asked.get("since", "")),
        until=_year(asked.get("until", "")),
        venue=asked.get("venue", "").strip()[:100],
    )


def _year(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text.strip()) else None
