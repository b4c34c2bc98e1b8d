"""What each agent starts with, and what it answers: its state, at once or when it is another one, and that it lives."""

import argparse
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from workloads.edge import program
from workloads.edge.background import background
from workloads.edge.document import render_placements
from workloads.edge.published import Published

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

GRACE_SECONDS: Final = 1
"""What is in flight at an agent's end is gateways that wait for news."""


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """An agent's command line, to which a kind adds what its engine needs."""
    return program.parser(name, description, 8090, "/tmp/agent", "the last good configuration")


def build(placements: Published[tuple[T, ...]], *work: Coroutine[Any, Any, None]) -> Starlette:
    """The ASGI app; `work` runs as long as it serves."""

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with background(*work):
            yield

    return Starlette(
        routes=[placements.route("/state", render_placements), Route("/healthz", healthz)], lifespan=lifespan
    )
