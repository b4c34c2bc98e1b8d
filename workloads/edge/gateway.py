"""What the gateways of all kinds have in common: how one starts, what it follows, what machines ask of it."""

import argparse
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from lightkube import AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from workloads.edge import cluster, servers, tokens
from workloads.edge.background import background
from workloads.edge.document import PROBE_TOKEN_HEADER, ConfigError, render_placements
from workloads.edge.errors import NotReady, Unauthorized
from workloads.edge.kept import Kept
from workloads.edge.requests import RequestLog, Shape, exception_handlers
from workloads.edge.servers import Server

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NOT_THE_OPERATORS: Final = f"{PROBE_TOKEN_HEADER}: expected the operator's token"


class Configuration(Protocol):
    """What the configurations of all kinds hold."""

    @property
    def probe_token(self) -> str:
        """sha256 (hex) of the operator's own token."""


C = TypeVar("C", bound=Configuration)


@dataclass(frozen=True)
class Followed(Generic[C]):
    """What a gateway serves by."""

    config: Kept[C]
    servers: Kept[tuple[Server, ...]]
    coroutines: tuple[Coroutine[Any, Any, None], ...]
    """Keep both up to date; to run beside the server."""


def arguments(program: str, description: str | None) -> argparse.Namespace:
    """The command line. The defaults are those of a gateway's pod."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument(
        "--state", type=Path, default=Path("/tmp/gateway"), help="the last good configuration and servers"
    )
    parser.add_argument(
        "--namespace", default=os.environ.get("NAMESPACE") or None, help="$NAMESPACE, else that of the kubeconfig"
    )
    parser.add_argument(
        "--standalone", action="store_true", help="no API server: follow STATE/config.json and STATE/servers.json"
    )
    return parser.parse_args()


def follow(
    given: argparse.Namespace, config_map: str, key: str, service: str, parse: Callable[[str], C], empty: C
) -> Followed[C]:
    """Follow a ConfigMap's key and the addresses of a headless Service."""
    config = Kept(given.state / "config.json", parse, empty, ConfigError)
    nobody: tuple[Server, ...] = ()
    found = Kept(given.state / "servers.json", servers.parse, nobody, servers.ServersError)
    if given.standalone:
        return Followed(config, found, (config.follow_file(), found.follow_file()))
    client = AsyncClient(namespace=given.namespace)
    return Followed(
        config,
        found,
        (
            cluster.follow_config_map(client, config_map, key, config.offer),
            cluster.follow_service(client, service, found.offer),
        ),
    )


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
