"""Triton's control protocol over HTTP on the loopback: index, load, unload, and one real inference.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md
"""

import re
from typing import Final

import httpx2

LOAD_SECONDS: Final = 600.0
PROBE_SECONDS: Final = 5.0
DEAD: Final = "is not healthy"
"""What Triton says of a stub that has died; it stays READY meanwhile."""


class TritonError(Exception):
    """Triton refused, or could not; the message is its own, cut down to what helps and with no path in it."""


class Gone(TritonError):
    """Triton does not answer."""


class InvalidModel(TritonError):
    """The backend found the folder to be no model."""


class DeadProcess(TritonError):
    """The version's process is dead, and Triton does not know."""


class Triton:
    """A client of one server."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(base_url=url, timeout=5.0, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ready(self) -> dict[str, frozenset[int]]:
        """By model, the versions that are READY. Raises TritonError."""
        answer = await self._post("/v2/repository/index", {})
        if answer.status_code != 200:
            raise explain(_text(answer))
        found: dict[str, frozenset[int]] = {}
        for entry in answer.json():
            if entry.get("state") == "READY" and str(entry.get("version", "")).isdigit():
                found[entry["name"]] = found.get(entry["name"], frozenset()) | {int(entry["version"])}
        return found

    async def load(self, model: str) -> None:
        """Load what has changed of a model, and wait for it. Raises TritonError."""
        answer = await self._post(f"/v2/repository/models/{model}/load", {}, LOAD_SECONDS)
        if answer.status_code != 200:
            raise explain(_text(answer))

    async def unload(self, model: str) -> None:
        """Stop serving a model. What is in flight finishes. Raises TritonError."""
        answer = await self._post(f"/v2/repository/models/{model}/unload", {})
        if answer.status_code != 200:
            raise explain(_text(answer))

    async def probe(self, model: str, version: int) -> None:
        """One real inference. Raises TritonError."""
        body = {"inputs": [{"name": "TEXT", "shape": [1, 1], "datatype": "BYTES", "data": ["."]}],
                "outputs": [{"name": "TOKENS"}]}  # fmt: skip
        answer = await self._post(f"/v2/models/{model}/versions/{version}/infer", body, PROBE_SECONDS)
        if answer.status_code != 200:
            text = _text(answer)
            raise DeadProcess("its process is dead") if DEAD in text else explain(text)

    async def _post(self, path: str, body: dict[str, object], seconds: float = 5.0) -> httpx2.Response:
        try:
            return await self._http.post(path, json=body, timeout=seconds)
        except httpx2.TimeoutException as error:
            raise TritonError(f"the engine gave no answer within {seconds:.0f} s") from error
        except httpx2.HTTPError as error:
            raise Gone("the engine does not answer") from error


def explain(text: str) -> TritonError:
    """Triton's complaint for people: the backend's own sentence if there is one, no traceback, no paths."""
    if "InvalidModel: " in text:
        return InvalidModel(text.partition("InvalidModel: ")[2].splitlines()[0].strip()[:500])
    # "load failed for model 'm': version 1 is at UNAVAILABLE state: Internal: ImportError: …\n\nAt:\n  /path…"
    said = text.partition("state: ")[2] or text
    line = next((line for line in said.splitlines() if line.strip()), "no reason given")
    return TritonError(re.sub(r"(?<![\w:])/[^\s'\",;:)]+", "…", line).strip(" ;")[:500])


def _text(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
