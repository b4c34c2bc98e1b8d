"""An OAuth client's access tokens (RFC 6749, section 4.4): fetched when one is first needed, renewed before it ends."""

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from homespun.clients.errors import Broken
from homespun.clients.rest import Service, document

MARGIN_SECONDS: Final = 60.0
"""A token that ends sooner is not used any more: a call may take so long."""


@dataclass
class Tokens:
    """The tokens of one client; threads share them."""

    service: Service
    path: str
    """Where the service makes tokens."""
    client_id: str
    client_secret: str = field(repr=False)
    _token: str = field(default="", init=False, repr=False)
    _ends: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def current(self) -> str:
        """A token that is good for a while. Raises ServiceError."""
        with self._lock:
            if not self._token or time.monotonic() > self._ends:
                self._fetch()
            return self._token

    def renewed(self, refused: str) -> str:
        """A token in the place of one that the service refused. Raises ServiceError.

        One may end before its time: it was revoked, or this machine slept, which stops its clock.
        """
        with self._lock:
            if self._token == refused:  # or another thread was here first
                self._fetch()
            return self._token

    def _fetch(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        started = time.monotonic()
        made = document(self.service.call("POST", self.path, repeat=True, data=form))
        token, seconds = made.get("access_token"), made.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, int | float):
            raise Broken(f"{self.service.name}: expected access_token and expires_in, found {', '.join(made)}")
        self._token, self._ends = token, started + max(seconds - MARGIN_SECONDS, seconds / 2)
