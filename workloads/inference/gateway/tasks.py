"""The Hugging Face tasks: what their bodies mean, and what their answers look like. Pure.

Bodies as huggingface_hub sends them (tests hold versions 0.36 to 2.4 against this) and as
https://huggingface.co/docs/inference-providers/tasks describes them.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workloads.edge.errors import InvalidRequest

Floats = npt.NDArray[np.float32]

FEATURE_EXTRACTION: Final = "feature-extraction"
SENTENCE_SIMILARITY: Final = "sentence-similarity"
MAX_TEXTS: Final = 256
"""In one request; more go into several."""

_ROOT: Final = frozenset({"inputs", "parameters", "options"})
_PARAMETERS: Final = {
    FEATURE_EXTRACTION: frozenset({"normalize", "truncate", "truncation_direction"}),
    SENTENCE_SIMILARITY: frozenset({"normalize", "truncate"}),
}


@dataclass(frozen=True)
class Query:
    """A request, read."""

    task: str
    texts: tuple[str, ...]
    """All texts to embed; for sentence-similarity the source sentence and then the others."""
    single: bool = False
    """feature-extraction of one text and not of a list."""
    normalize: bool = False
    """Bring embeddings to length 1, whether or not the model does."""
    truncate: bool = True
    """Cut a text that is longer than the model's window, rather than refuse it."""


def read(task: str, document: dict[str, Any]) -> Query:
    """The query in a body.

    Parameters stand in `parameters` or, as huggingface_hub sends them for feature-extraction, beside `inputs`; None is
    as good as absent. `options` is what the classic API took: nothing in it changes an answer. Raises InvalidRequest.
    """
    if "inputs" not in document:
        raise InvalidRequest("inputs: expected, got none")
    parameters = document.get("parameters")
    if not isinstance(parameters, dict | None):
        raise InvalidRequest("parameters: expected an object")
    if not isinstance(document.get("options"), dict | None):
        raise InvalidRequest("options: expected an object")
    beside = {name: value for name, value in document.items() if name not in _ROOT}
    given = {name: value for name, value in {**beside, **(parameters or {})}.items() if value is not None}
    if unknown := sorted(set(given) - _PARAMETERS[task]):
        names = ", ".join(name[:40] for name in unknown[:5])
        raise InvalidRequest(f"parameters: {task} takes {', '.join(sorted(_PARAMETERS[task]))}; got {names}")
    if given.get("truncation_direction", "right") not in ("right", "Right"):
        raise InvalidRequest("truncation_direction: expected right")
    texts, single = _texts(task, document["inputs"])
    if len(texts) > MAX_TEXTS:
        raise InvalidRequest(f"inputs: expected at most {MAX_TEXTS} texts, got {len(texts)}: split the request")
    return Query(
        task, texts, single, normalize=_flag(given, "normalize", False), truncate=_flag(given, "truncate", True)
    )


def answer(query: Query, embeddings: Floats) -> list[Any]:
    """The JSON of the answer, from the embeddings (n, d) of the query's texts."""
    if query.task == SENTENCE_SIMILARITY:
        return [float(similarity) for similarity in cosine(embeddings[0], embeddings[1:])]
    vectors = unit(embeddings) if query.normalize else embeddings
    rows: list[Any] = vectors.tolist()
    return list(rows[0]) if query.single else rows


def refuse_too_long(query: Query, tokens: npt.NDArray[np.int32]) -> None:
    """Raise InvalidRequest if the query forbids to cut a text and one was cut. `tokens` (n, 2): whole, seen."""
    if query.truncate:
        return
    for index, (whole, seen) in enumerate(tokens.tolist()):
        if whole > seen:
            raise InvalidRequest(
                f"inputs: text {index} has {whole} tokens, the model takes {seen}: shorten it or allow `truncate`"
            )


def unit(vectors: Floats) -> Floats:
    """Each row at length 1; a row of zeros stays."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return scaled


def cosine(source: Floats, others: Floats) -> Floats:
    """Cosine of one vector (d) with each row of (n, d)."""
    similarities: Floats = np.clip(unit(others) @ unit(source[None])[0], -1.0, 1.0)
    return similarities


def split(count: int, size: int) -> list[slice]:
    """Consecutive parts of `count` texts, of at most `size`."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _texts(task: str, inputs: Any) -> tuple[tuple[str, ...], bool]:
    if task == SENTENCE_SIMILARITY:
        if not isinstance(inputs, dict) or set(inputs) != {"source_sentence", "sentences"}:
            raise InvalidRequest("inputs: expected an object of source_sentence and sentences")
        source = inputs["source_sentence"]
        if not isinstance(source, str):
            raise InvalidRequest("inputs.source_sentence: expected a text")
        return (source, *_list(inputs["sentences"], "inputs.sentences")), False
    if isinstance(inputs, str):
        return (inputs,), True
    return _list(inputs, "inputs"), False


def _list(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        raise InvalidRequest(f"{where}: expected a list of texts, at least one")
    return tuple(value)


def _flag(given: dict[str, Any], name: str, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name}: expected true or false")
    return value
