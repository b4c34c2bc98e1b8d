"""Following the API server: one ConfigMap, the EndpointSlices of one Service.

A watch that ends, for whatever reason, is begun anew with a full list. Nothing here ever ends a program: without the
API server it goes on with what it has.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.resources.core_v1 import ConfigMap, Secret
from lightkube.resources.discovery_v1 import EndpointSlice

from workloads.edge import servers

WATCH_SECONDS: Final = 240
"""How long one watch lasts; a connection that died silently is noticed by then."""
RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)

log = logging.getLogger(__name__)


class Unreachable(Exception):
    """The API server does not answer, or refuses; the message says which."""


class Offered(Protocol):
    """Where documents go: `Kept.offer`."""

    def __call__(self, text: str) -> None:
        """Take a document."""


async def follow_config_map(client: AsyncClient, name: str, key: str, offer: Offered) -> None:
    """Offer each new document under `key` of a ConfigMap. Ends by cancellation.

    A ConfigMap that is deleted, or lacks the key, changes nothing: somebody is repairing it.
    """

    async def watch() -> None:
        fields: Any = {"metadata.name": name}
        events = client.watch(ConfigMap, namespace=client.namespace, fields=fields, server_timeout=WATCH_SECONDS)
        async for event, found in events:
            if event in ("ADDED", "MODIFIED") and key in (found.data or {}):
                offer((found.data or {})[key])

    await _again(f"configmap {name}", watch)


async def follow_service(client: AsyncClient, name: str, offer: Offered) -> None:
    """Offer the servers behind a Service whenever they change. Ends by cancellation."""
    labels: Any = {"kubernetes.io/service-name": name}

    async def watch() -> None:
        # The list comes first, so that a slice that went away meanwhile is known to be gone.
        listed = client.list(EndpointSlice, labels=labels)
        slices = {piece.metadata.name: piece async for piece in listed if piece.metadata}
        offer(servers.render(servers.from_slices(slices.values())))
        version = listed.resourceVersion
        events = client.watch(
            EndpointSlice,
            namespace=client.namespace,
            labels=labels,
            server_timeout=WATCH_SECONDS,
            resource_version=version,
        )
        async for event, piece in events:
            assert piece.metadata
            if event == "DELETED":
                slices.pop(piece.metadata.name, None)
            else:
                slices[piece.metadata.name] = piece
            offer(servers.render(servers.from_slices(slices.values())))

    await _again(f"endpointslices of {name}", watch)


async def read_secret(client: AsyncClient, name: str, key: str) -> str | None:
    """One value of a Secret; None if there is none. Raises Unreachable."""
    try:
        secret = await client.get(Secret, name)
    except ApiError as error:
        if error.status.code == 404:
            return None
        raise Unreachable(f"the API server refuses to show Secret {name}: {error.status.reason}") from error
    except (httpx2.HTTPError, OSError) as error:
        raise Unreachable(f"the API server does not answer: {type(error).__name__}") from error
    try:
        return base64.b64decode((secret.data or {})[key]).decode()
    except (KeyError, binascii.Error, UnicodeDecodeError):
        return None


async def _again(what: str, watch: Callable[[], Awaitable[None]]) -> None:
    failures = 0
    while True:
        try:
            await watch()
            failures = 0
        except (httpx2.HTTPError, OSError, ValueError) as error:  # ApiError is an HTTPError
            wait = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
            failures += 1
            if failures in (1, 10) or failures % 100 == 0:
                log.warning("can't follow", extra={"what": what, "error": type(error).__name__, "failures": failures})
            await asyncio.sleep(wait)
