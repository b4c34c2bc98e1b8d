"""The page, as `make up` asks it: at its machine's address, whatever a name server says of its name."""

import functools
import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from homespun import places
from tools import screen

QUESTION: Final = "translate with attention alone, without recurrence"
ANSWER_SECONDS: Final = 60


def authority(stack: str) -> Path:
    """Where `up` puts the certificate of what vouches for the names of an ingress."""
    return places.state() / f"authorities/{stack}.crt"


@dataclass(frozen=True)
class Page:
    """Where it is."""

    url: str
    address: str
    """Of a machine of its cluster."""
    authority: str
    """What vouches for its name, PEM; '' where it is reached by plain HTTP."""


def answer(page: Page, collection: str) -> str:
    """The question put to the page: what it finds, how close and how soon; or why there is no answer."""
    url = f"{page.url}search?{urllib.parse.urlencode({'q': QUESTION, 'collection': collection})}"
    direct = opener(page)
    end = time.monotonic() + ANSWER_SECONDS
    warm = False
    while True:
        try:
            with direct.open(url, timeout=30) as answered:
                found = json.load(answered)
            if not warm:  # what was loaded or connected for this first one is not the search's time
                warm = True
                continue
            best = next(iter(found["hits"]), None)
            if best is None:
                return f'"{QUESTION}" finds nothing: the collection that the page asks is empty'
            return (
                f'"{QUESTION}" → {best["title"]} ({best["year"]})  {best["score"]:.2f}   {found["milliseconds"]:.0f} ms'
            )
        except urllib.error.HTTPError as error:
            why, final = _said(error), error.code != 503
        except OSError as error:  # the page's pod, or the way to it, is new
            why, final = str(error), False
        except (ValueError, LookupError, TypeError):
            why, final = f"{url} is answered by something else", True
        if final or time.monotonic() > end:
            return f'"{QUESTION}" has no answer: {why}'
        screen.line(f"page  {why}")
        time.sleep(0.5)


def opener(page: Page) -> urllib.request.OpenerDirector:
    """What asks by no proxy, and by TLS at the page's address, where its authority has to vouch for the name."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if page.authority:
        handlers.append(_AtAddress(page.address, ssl.create_default_context(cadata=page.authority)))
    return urllib.request.build_opener(*handlers)


class _AtAddress(urllib.request.HTTPSHandler):
    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._connection = functools.partial(_Connection, address, context)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, request)


class _Connection(http.client.HTTPConnection):
    def __init__(self, address: str, context: ssl.SSLContext, host: str, **given: Any) -> None:
        super().__init__(host, **given)
        self._address, self._context = address, context

    def connect(self) -> None:
        reached = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._context.wrap_socket(reached, server_hostname=self.host)


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, LookupError, TypeError):
        return str(error)
