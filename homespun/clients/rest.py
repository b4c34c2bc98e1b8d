"""One call of a web service, for all of our clients: time-outs, patience, and errors that say what to do.

Repeating is urllib3's: back-off with jitter, Retry-After honoured. What is repeated follows from one question, whether
doing it twice is doing it once.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ssl import SSLCertVerificationError
from types import TracebackType
from typing import Any, Final, Literal, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import InvalidHeader, MaxRetryError, ResponseError, SSLError
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

from homespun.clients.errors import Broken, Denied, Exhausted, Missing, Refused, ServiceError, Stale, Unreachable

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
RETRY_AFTER_SECONDS: Final = 60
"""The longest pause that a service may ask for; one that wants more is not waited for."""
NOT_DONE: Final = frozenset({429})
"""Statuses that say that nothing was done, so that even what must not be done twice can be asked again."""
PERHAPS_DONE: Final = frozenset({500, 502, 503, 504})
BY_STATUS: Final[Mapping[int, type[ServiceError]]] = {
    401: Denied, 403: Denied, 404: Missing, 409: Stale, 410: Missing, 412: Stale, 429: Exhausted,
}  # fmt: skip
WORDS: Final = ("message", "msg", "detail", "error_description", "error")
"""Where services put what they have to say to people, in the JSON of an error."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
T = TypeVar("T")


class _Patience(Retry):
    """urllib3's, but that the status alone decides what is asked again, and that no pause is longer than ours."""

    RETRY_AFTER_STATUS_CODES = frozenset()

    def get_backoff_time(self) -> float:
        # urllib3's own makes no pause before the first repetition.
        longest = float(min(self.backoff_max, self.backoff_factor * 2 ** (len(self.history) - 1)))
        return random.uniform(longest / 2, longest)  # noqa: S311 (no secret)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            return super().get_retry_after(response)
        except InvalidHeader:
            return None

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> "_Patience":
        if _pool is not None and isinstance(error, SSLError) and isinstance(_deeper(error), SSLCertVerificationError):
            raise MaxRetryError(_pool, url or "", error)  # it will not be another one in a moment
        # urllib3's own would shorten the pause, and ask again too early.
        if response is not None and _pool is not None and (self.get_retry_after(response) or 0) > RETRY_AFTER_SECONDS:
            raise MaxRetryError(_pool, url or "", ResponseError("a pause longer than we are patient"))
        return super().increment(method, url, response, error, _pool, _stacktrace)


@dataclass(frozen=True)
class Service:
    """Where a service is, and how it is spoken to."""

    name: str
    """In messages: "Tailscale"."""
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """With each request; credentials among them, so they are never shown."""
    authority: str = ""
    """A file of certificates to trust in the place of the machine's, '' for those."""
    credential: str = ""
    """What the credential is and where a new one comes from, for whoever reads that it was refused."""
    passing: frozenset[int] = PERHAPS_DONE
    """Statuses after which it may go better in a moment."""
    attempts: int = 5
    back_off: float = 0.5
    """Seconds before the first repetition at most, doubled with each, each with jitter."""

    def call(
        self,
        method: Method,
        path: str,
        *,
        repeat: bool,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        data: str | bytes | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Ask, and hand over an answer below 300; redirects are not followed. Raises ServiceError.

        `repeat` says whether doing it twice is doing it once: only then is it asked again where it may have been done.
        Where it was certainly not (no connection, 429), anything is. `body` goes as JSON, `data` as it is, a mapping
        as a form.
        """
        what = f"{self.name}: {method} {self.url}{path}"
        sent = {**self.headers, **(headers or {})}
        try:
            with requests.Session() as session:
                session.trust_env = False  # no .netrc: a credential is the one that we were given
                session.mount("https://", HTTPAdapter(max_retries=self._patience(repeat)))
                session.mount("http://", HTTPAdapter(max_retries=self._patience(repeat)))
                answer = session.request(
                    method, f"{self.url}{path}", params=params, json=body, headers=sent,
                    data=data.encode() if isinstance(data, str) else data,
                    timeout=(CONNECT_SECONDS, READ_SECONDS), verify=self.authority or True, allow_redirects=False,
                )  # fmt: skip
        except (requests.exceptions.InvalidHeader, UnicodeEncodeError):
            # Their messages hold the header, so they go no further.
            raise Denied(
                f"{what}: expected a credential that fits into a header, got one with a line's end or other than ASCII"
                f" in it: {self.credential or 'was it copied whole, and alone?'}"
            ) from None
        except requests.RequestException as error:
            raise Unreachable(f"{what}: expected an answer, got none: {_cause(error)}") from error
        except OSError as error:
            raise Unreachable(f"{what}: expected certificates to trust in {self.authority}: {error}") from error
        if answer.status_code < 300:
            return answer
        raise self._error(what, answer, [*_secrets(sent), *_secrets(data)])

    def _patience(self, repeat: bool) -> Retry:
        return _Patience(
            total=self.attempts - 1,
            read=None if repeat else 0,
            other=None if repeat else 0,
            allowed_methods=None,
            status_forcelist=NOT_DONE | self.passing if repeat else NOT_DONE,
            backoff_factor=self.back_off,
            backoff_max=RETRY_AFTER_SECONDS,
            raise_on_status=False,
        )

    def _error(self, what: str, answer: requests.Response, secrets: list[str]) -> ServiceError:
        text = answer.text
        for secret in secrets:  # a proxy's error page may quote the request
            text = text.replace(secret, "***")
        details = _object(text)
        finding = f"{answer.status_code}: {_said(details, text) or answer.reason}"
        if 300 <= answer.status_code < 400:
            finding += f", to {answer.headers.get('Location')}: is the address right?"
        kind = _kind(answer.status_code)
        advice = f". Its credential is {self.credential}" if kind is Denied and self.credential else ""
        error = kind(f"{what}: expected success, got {finding}{advice}")
        error.details = details
        return error


def document(answer: requests.Response) -> dict[str, Any]:
    """The JSON object in an answer. Raises Broken for anything else."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        # Not a word of what it is instead: half a document may be the half with a new key in it.
        kind = answer.headers.get("Content-Type", "no type")
        raise Broken(f"{_asked(answer)}: expected a JSON object, got {len(answer.content)} bytes of {kind}")
    return found


def member(answer: requests.Response, name: str, kind: type[T]) -> T:
    """What a JSON object has under a name. Raises Broken where it is not there, or something else."""
    found = document(answer)
    value = found.get(name)
    if not isinstance(value, kind):
        raise Broken(f"{_asked(answer)}: expected {name}, a {kind.__name__}, found {', '.join(found) or 'nothing'}")
    return value


def entries(answer: requests.Response, name: str, parse: Callable[[Any], T]) -> tuple[T, ...]:
    """What `parse` makes of each entry of the list `name` in an answer.

    Raises Broken where there is no such list, or an entry lacks what `parse` looks for: an answer without a list is
    never taken for an empty one.
    """
    found = document(answer)
    if name not in found or not isinstance(found[name], list | None):
        raise Broken(f"{_asked(answer)}: expected a list {name}, found {', '.join(found) or 'nothing'}")
    try:
        return tuple(parse(entry) for entry in found[name] or ())  # Go writes an empty list as null
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Broken(f"{_asked(answer)}: expected {name} as documented: {type(error).__name__}: {error}") from error


def _said(details: Mapping[str, Any], text: str) -> str:
    """What a service says of an error, in a line: of JSON the field that is made for people, else the text."""
    words = next((str(details[name]) for name in WORDS if details.get(name)), "")
    return " ".join(words.split()) or " ".join(text.split())[:300]


def _kind(status: int) -> type[ServiceError]:
    if status in BY_STATUS:
        return BY_STATUS[status]
    return Refused if 400 <= status < 500 else Broken


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _asked(answer: requests.Response) -> str:
    return f"{answer.request.method} {answer.url}"


def _secrets(sent: Mapping[str, str] | str | bytes | None) -> list[str]:
    """What of a request's headers, or of its form, must not come back in a message."""
    if not isinstance(sent, Mapping):
        return []
    values = (value.rpartition(" ")[2] for name, value in sent.items() if name in ("Authorization", "client_secret"))
    return [value for value in values if value]


def _cause(error: BaseException) -> str:
    """The innermost reason, without the addresses of objects."""
    inner = error
    while deeper := _deeper(inner):
        inner = deeper
    return f"{type(inner).__name__}: {str(inner).rpartition(': ')[2] or 'no words'}"


def _deeper(error: BaseException) -> BaseException | None:
    # urllib3 has it in `reason` or, of a line that broke, among the arguments; Python where it was chained.
    found = (getattr(error, "reason", None), *error.args[1:], error.__cause__, error.__context__)
    return next((inner for inner in found if isinstance(inner, BaseException)), None)
