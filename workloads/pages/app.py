"""The page's routes: one page, with or without a question, and its search for programs."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from workloads.pages.cloud import Cloud
from workloads.pages.search import Answer, Search, SearchError

TEMPLATES: Final = Jinja2Templates(directory=Path(__file__).parent / "templates")
LONGEST_QUESTION: Final = 500
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def app(read_cloud: Callable[[], Awaitable[Cloud]], search: Search) -> Starlette:
    """The page, over what is read from the cluster and the search over the gateway."""

    async def page(request: Request) -> Response:
        question = _question(request)
        answer: Answer | None = None
        trouble = ""
        if question:
            try:
                answer = await search.ask(question)
            except SearchError as error:
                trouble = str(error)
        context = {"cloud": await read_cloud(), "question": question, "answer": answer, "trouble": trouble}
        return TEMPLATES.TemplateResponse(request, "page.html", context, headers=HEADERS)

    async def found(request: Request) -> Response:
        """The search box for programs: `?q=`, an answer in JSON."""
        question = _question(request)
        if not question:
            return JSONResponse({"error": "expected a question, ?q=…, got none"}, status_code=400, headers=HEADERS)
        try:
            answer = await search.ask(question)
        except SearchError as error:
            return JSONResponse({"error": str(error)}, status_code=503, headers=HEADERS)
        hits = [{"id": hit.paper.id, "title": hit.paper.title, "year": hit.paper.year, "score": round(hit.score, 4)}
                for hit in answer.hits]  # fmt: skip
        return JSONResponse({"milliseconds": round(answer.milliseconds, 1), "hits": hits}, headers=HEADERS)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/", page), Route("/search", found), Route("/healthz", healthz)])


def _question(request: Request) -> str:
    return request.query_params.get("q", "").strip()[:LONGEST_QUESTION]
