"""Who may do what: bearer tokens against the hashes in the configuration."""

import hashlib
import hmac
from collections.abc import Iterable

from workloads.edge.errors import Forbidden, Unauthorized


def bearer(authorization: str) -> str:
    """The token in an Authorization header, '' if there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def matches(token: str, hashes: Iterable[str]) -> bool:
    """Whether the token is one of these (sha256, hex). All are compared, each in constant time."""
    given = hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
    matched = [hmac.compare_digest(given, known) for known in hashes]
    return any(matched)


def check(token: str, allowed: Iterable[str], others: Iterable[str], header: str = "authorization") -> None:
    """Let the bearer of an allowed token pass.

    `others` are the hashes of all tokens that mean anything here, `header` is where the token stands. Raises
    Unauthorized or Forbidden.
    """
    if not token:
        raise Unauthorized(f"{header}: expected a token, got none")
    mine, another = matches(token, allowed), matches(token, others)
    if mine:
        return
    if another:
        raise Forbidden(f"{header}: this token is for something else")
    raise Unauthorized(f"{header}: expected a token that is known here, got another")
