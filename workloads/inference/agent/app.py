"""What an agent answers: its state, at once or as soon as it is another one."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from workloads.edge.background import background
from workloads.inference.agent.loop import Agent
from workloads.inference.config import render_placements

MAX_WAIT_SECONDS: Final = 30


def build(agent: Agent, *follow: object) -> Starlette:
    """The ASGI app. `follow` are further coroutines to run beside the agent's own."""

    async def state(request: Request) -> Response:
        """`If-None-Match` with `Prefer: wait=N` (RFC 7240) holds the answer until there is news."""
        known = request.headers.get("if-none-match", "")
        if known and (wait := wanted_wait(request.headers.get("prefer", ""))):
            await agent.placements_after(known, wait)
        if known and known == agent.etag:
            return Response(status_code=304, headers={"etag": agent.etag})
        body = render_placements(agent.placements)
        return Response(body, media_type="application/json", headers={"etag": agent.etag or '""'})

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with background(agent.run(), agent.probe(), *follow):  # type: ignore[arg-type]
            yield

    return Starlette(routes=[Route("/state", state), Route("/healthz", healthz)], lifespan=lifespan)


def wanted_wait(prefer: str) -> int:
    """Seconds in a Prefer header, at most MAX_WAIT_SECONDS; 0 if it names none."""
    found = re.search(r"\bwait=(\d{1,4})\b", prefer)
    return min(int(found[1]), MAX_WAIT_SECONDS) if found else 0
