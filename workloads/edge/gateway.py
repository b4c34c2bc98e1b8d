"""What the gateways of all kinds have in common: what each starts with, whom it follows, what machines ask of it."""

import argparse
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from lightkube import AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from workloads.edge import cluster, program, servers, tokens
from workloads.edge.background import background
from workloads.edge.document import PROBE_TOKEN_HEADER, render_placements
from workloads.edge.errors import NotReady, Unauthorized
from workloads.edge.kept import Kept
from workloads.edge.requests import RequestLog, Shape, exception_handlers
from workloads.edge.servers import Server

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SERVERS_FILE: Final = "servers.json"
"""In a gateway's folder: the servers that were last known."""
NOT_THE_OPERATORS: Final = f"{PROBE_TOKEN_HEADER}: expected the operator's token"


class Configuration(Protocol):
    """What the configurations of all kinds hold."""

    @property
    def probe_token(self) -> str:
        """sha256 (hex) of the operator's own token."""


C = TypeVar("C", bound=Configuration)


def arguments(name: str, description: str | None) -> argparse.Namespace:
    """A gateway's command line."""
    return program.parser(
        name, description, 8080, "/tmp/gateway", "the last good configuration and servers"
    ).parse_args()


def follow(
    given: argparse.Namespace, service: str, client: AsyncClient | None
) -> tuple[Kept[tuple[Server, ...]], Coroutine[Any, Any, None]]:
    """The addresses of a headless Service, and what keeps them up to date; to run beside the server."""
    nobody: tuple[Server, ...] = ()
    found = Kept(given.state / SERVERS_FILE, servers.parse, nobody, servers.ServersError)
    return found, cluster.follow_service(client, service, found.offer) if client else found.follow_file()


def operator_asks(request: Request, known: str) -> bool:
    """Whether the operator asks. Raises Unauthorized for a token that is not its own; `known` is its hash."""
    given = request.headers.get(PROBE_TOKEN_HEADER, "")
    if not given:
        return False
    if not known or not tokens.matches(given, [known]):
        raise Unauthorized(NOT_THE_OPERATORS)
    return True


def build(
    routes: list[Route],
    config: Kept[C],
    placements: Callable[[], Iterable["DataclassInstance"]],
    *beside: Coroutine[Any, Any, None],
    shape: Shape | None = None,
) -> Any:
    """The ASGI app of `routes` and of those that machines ask, with `beside` running as long as it does.

    GET  /-/state              what all agents report, `placements`; for the operator, with its own token
    GET  /healthz  /readyz
    """

    async def state(request: Request) -> Response:
        if not operator_asks(request, config.value.probe_token):
            raise Unauthorized(f"{NOT_THE_OPERATORS}, got none")
        return Response(render_placements(placements()), media_type="application/json")

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        if not config.known:
            raise NotReady("no configuration has come yet", 1.0)
        return PlainTextResponse("ok\n")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with background(*beside):
            yield

    machines = [Route("/-/state", state), Route("/healthz", healthz), Route("/readyz", readyz)]
    handlers = exception_handlers(shape) if shape else exception_handlers()
    return RequestLog(Starlette(routes=[*routes, *machines], lifespan=lifespan, exception_handlers=handlers))
