"""How a control server is spoken to: a headscale on a machine, or Tailscale's own service.

Over SSH to a headscale's machine comes what its API asks for. It is asked on its machine's LAN, at the port that it has
now: the address at which other sites reach it may be another by the time that a machine has to leave.

Tailscale's credential is in the environment alone, under the names that Tailscale's own provider for Terraform uses.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from homespun.clients.errors import Denied
from homespun.clients.headscale import by_api_key
from homespun.clients.tailnet import Tailnet
from homespun.clients.tailscale import URL, Tailscale
from homespun.clients.tailscale import by_api_key as with_api_key
from homespun.clients.tailscale import by_oauth_client as with_oauth_client
from homespun.hosts import headscale
from homespun.hosts.ssh import Connection
from stacks import hosts
from stacks.mesh.errors import NoTailnet

KEY_LIFE: Final = "15m"
TAILSCALE: Final = "tailscale"
"""In a resource's property `control`; without it, its tailnet is a headscale's."""
CLIENT_ID: Final = "TAILSCALE_OAUTH_CLIENT_ID"
CLIENT_SECRET: Final = "TAILSCALE_OAUTH_CLIENT_SECRET"
API_KEY: Final = "TAILSCALE_API_KEY"
BASE_URL: Final = "TAILSCALE_BASE_URL"
"""Of another server with Tailscale's API."""


def authority(connection: Connection) -> str:
    """The certificate of the headscale on a machine, PEM."""
    return connection.run(f"cat {headscale.CERTIFICATE}")


@contextmanager
def tailnet(props: Mapping[str, Any]) -> Iterator[Tailnet]:
    """The API of the tailnet that a device's properties name. Raises HostError, ServiceError, NoTailnet."""
    if props.get("control") == TAILSCALE:
        yield tailscale()
    else:
        with on_machine(hosts.connection(props["server"])) as found:
            yield found


def tailscale() -> Tailscale:
    """Tailscale's API, for the tailnet that the credential in the environment belongs to. Raises Denied without one."""
    url = os.environ.get(BASE_URL, "").rstrip("/") or URL
    id, secret, key = (os.environ.get(name, "").strip() for name in (CLIENT_ID, CLIENT_SECRET, API_KEY))
    if id and secret:
        return with_oauth_client(id, secret, url)
    if key and not (id or secret):
        return with_api_key(key, url)
    found = f"only {CLIENT_ID if id else CLIENT_SECRET}" if id or secret else "none"
    raise Denied(
        f"Tailscale: expected in the environment {CLIENT_ID} and {CLIENT_SECRET}"
        " (https://login.tailscale.com/admin/settings/oauth makes them, docs/home.md says of what scopes), or"
        f" {API_KEY} (https://login.tailscale.com/admin/settings/keys), found {found}"
    )


@contextmanager
def on_machine(connection: Connection) -> Iterator[Tailnet]:
    """The API of the headscale on a machine. Its key is made for this once, and taken back: it is in no state.

    Raises HostError, ServiceError, NoTailnet.
    """
    config = connection.run(f"cat {headscale.CONFIG} 2>/dev/null || true")
    if not config:
        raise NoTailnet(f"{connection.address}: expected a headscale ({headscale.CONFIG}), found none")
    port = json.loads(config)["listen_addr"].rpartition(":")[2]
    with tempfile.NamedTemporaryFile("w", suffix=".crt") as file:
        file.write(authority(connection))
        file.flush()
        secret = connection.run(f"{headscale.CLI} apikeys create --expiration {KEY_LIFE}").split()[-1]
        try:
            yield by_api_key(f"https://{connection.address}:{port}", secret, file.name)
        finally:
            connection.run(f"{headscale.CLI} apikeys expire --prefix={prefix(secret)}")


def prefix(secret: str) -> str:
    """By which headscale knows an API key: 12 characters of base64url (hscontrol/db/api_key.go)."""
    return secret.removeprefix("hskey-api-")[:12]
