"""How a control server is spoken to: over SSH to the machine that holds it comes what its API asks for.

It is asked on its machine's LAN, at the port that it has now: the address at which other sites reach it may be another
by the time that a machine has to leave.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from homespun.clients.headscale import by_api_key
from homespun.clients.tailnet import Tailnet
from homespun.hosts import headscale
from homespun.hosts.ssh import Connection

KEY_LIFE = "15m"


def authority(connection: Connection) -> str:
    """The certificate of the headscale on a machine, PEM."""
    return connection.run(f"cat {headscale.CERTIFICATE}")


@contextmanager
def tailnet(connection: Connection) -> Iterator[Tailnet]:
    """The API of the headscale on a machine. Its key is made for this once, and taken back: it is in no state."""
    port = json.loads(connection.run(f"cat {headscale.CONFIG}"))["listen_addr"].rpartition(":")[2]
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
