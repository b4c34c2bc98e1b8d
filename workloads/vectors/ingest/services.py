"""The two gateways that the work goes through: one embeds, the other keeps.

Whoever is away for a while is waited for; what is refused for itself is told apart from what may be tried again.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx2

from workloads.edge.document import MODEL_REVISION_HEADER
from workloads.vectors.ingest.errors import Refused, SettingsError, Unavailable
from workloads.vectors.ingestion import Ingestion
from workloads.vectors.layout import DEFAULT_NAMESPACE, NO_NAMESPACE

INFERENCE_TOKEN: Final = "INFERENCE_TOKEN"
API_KEY: Final = "VECTORS_API_KEY"
"""Variables of the environment. Workers read them for themselves: no token passes through Spark."""
PATIENCE_SECONDS: Final = 600.0
"""How long a gateway may be away. After that the job ends, and its next try goes on where this one was."""
UNKNOWN_SECONDS: Final = 60.0
"""How long a gateway may not know a model or a collection: its configuration may be on the way."""
LONGEST_WAIT: Final = 30.0
REQUEST_SECONDS: Final = 60.0
RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_VECTORS: Final = 1000
MAX_BODY_BYTES: Final = 2_000_000
"""Of an upsert (https://docs.pinecone.io/reference/api/database-limits)."""


@dataclass(frozen=True)
class Embedder:
    """The model, behind the inference gateway."""

    ingestion: Ingestion
    http: httpx2.Client

    def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], str]:
        """The texts' vectors and the revision that made them. Raises Refused, Unavailable, SettingsError."""
        url = f"{self.ingestion.inference}/models/{quote(self.ingestion.model_id)}/pipeline/feature-extraction"
        answer = post(self.http, url, {"inputs": list(texts)}, _token("authorization", INFERENCE_TOKEN, "Bearer "))
        return answer.json(), answer.headers.get(MODEL_REVISION_HEADER, "")


@dataclass(frozen=True)
class Collection:
    """The collection, behind the vectors' gateway."""

    ingestion: Ingestion
    http: httpx2.Client

    def upsert(self, vectors: Sequence[str]) -> None:
        """Write rendered vectors, at most MAX_VECTORS of MAX_BODY_BYTES. Raises Refused, Unavailable, SettingsError."""
        namespace = json.dumps(self.ingestion.namespace)
        self._post("vectors/upsert", f'{{"namespace": {namespace}, "vectors": [{", ".join(vectors)}]}}')

    def dimension(self) -> int:
        """Numbers in a vector. Raises Unavailable, SettingsError."""
        return int(self._post("describe_index_stats", {}).json()["dimension"])

    def count(self) -> int:
        """Vectors in the namespace, with all that was acknowledged before. Raises Unavailable, SettingsError."""
        name = self.ingestion.namespace or DEFAULT_NAMESPACE
        answer = self._get(f"namespaces/{quote(name, safe='')}", {}, missing=NO_NAMESPACE.format(name))
        return int(answer.json()["record_count"]) if answer.status_code == 200 else 0

    def ids(self) -> Iterator[str]:
        """Of all vectors in the namespace, page by page. Raises Unavailable, SettingsError."""
        after: dict[str, str] = {}
        while True:
            page = self._get("vectors/list", {"namespace": self.ingestion.namespace, **after}).json()
            yield from (vector["id"] for vector in page["vectors"])
            if not (token := page.get("pagination", {}).get("next")):
                return
            after = {"paginationToken": token}

    def _post(self, route: str, body: Any) -> httpx2.Response:
        return post(self.http, self._url(route), body, _token("api-key", API_KEY))

    def _get(self, route: str, parameters: dict[str, str], missing: str = "") -> httpx2.Response:
        request = self.http.build_request(
            "GET", self._url(route), params=parameters, headers=_token("api-key", API_KEY)
        )
        return send(self.http, request, missing)

    def _url(self, route: str) -> str:
        return f"{self.ingestion.vectors}/v/{quote(self.ingestion.collection)}/{route}"


@dataclass
class Waiting:
    """How long to wait before another try, and when to give up."""

    now: Callable[[], float] = time.monotonic
    pause: float = 0.5
    since: float = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.now()

    def next(self, answer: httpx2.Response | None) -> float:
        """Seconds: what the server asks for, else twice as long as the last time, and never longer than a while."""
        asked = answer.headers.get("retry-after", "") if answer is not None else ""
        self.pause = min(LONGEST_WAIT, self.pause * 2)
        return min(LONGEST_WAIT, float(asked)) if asked.replace(".", "", 1).isdigit() else self.pause

    @property
    def seconds(self) -> float:
        """Since the first try."""
        return self.now() - self.since


def client() -> httpx2.Client:
    """A client for both; the proxies of the environment are none of theirs."""
    return httpx2.Client(timeout=REQUEST_SECONDS, trust_env=False)


def post(http: httpx2.Client, url: str, body: Any, headers: dict[str, str]) -> httpx2.Response:
    """The answer to a POST."""
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {**headers, "content-type": "application/json"}
    return send(http, http.build_request("POST", url, content=content.encode(), headers=headers))


def send(http: httpx2.Client, request: httpx2.Request, missing: str = "") -> httpx2.Response:
    """The answer, asked for again for as long as that may help: a 200, or a 404 that says what is `missing`.

    Raises Refused, Unavailable, SettingsError.
    """
    waiting, url = Waiting(), request.url.copy_with(query=None)
    while True:
        answer, said = None, ""
        try:
            answer = http.send(request)
        except httpx2.TransportError as error:
            said = f"no answer ({type(error).__name__})"
        if answer is not None:
            if answer.status_code == 200 or (missing and answer.status_code == 404 and _message(answer) == missing):
                return answer
            said = f"{answer.status_code} {_message(answer)[:300]}"
            if answer.status_code in (401, 403):
                raise SettingsError(f"{url}: {said}; expected a token that may use it in the job's environment")
            if answer.status_code == 404 and waiting.seconds > UNKNOWN_SECONDS:
                raise SettingsError(f"{url}: {said}; apply the object that it serves")
            if answer.status_code not in (404, *RETRIED):
                raise Refused(said)
        if waiting.seconds > PATIENCE_SECONDS:
            raise Unavailable(f"{url}: {said}, for {waiting.seconds:.0f} s")
        time.sleep(waiting.next(answer))


def _token(header: str, variable: str, prefix: str = "") -> dict[str, str]:
    token = os.environ.get(variable, "").strip()  # a Secret made of a file ends with a line
    return {header: f"{prefix}{token}"} if token else {}


def _message(answer: httpx2.Response) -> str:
    """What a gateway says in its own format, Hugging Face's or Pinecone's."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    said = body.get("message") or body.get("error") if isinstance(body, dict) else ""
    return str(said or "")
