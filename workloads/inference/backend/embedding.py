"""Sentence embeddings from a folder in the sentence-transformers format, by onnxruntime and tokenizers.

The format: https://sbert.net/docs/package_reference/sentence_transformer/models.html . Read are

    model.onnx or onnx/model.onnx        the transformer: token ids in, one vector a token out
    tokenizer.json                       the fast tokenizer
    modules.json                         what follows the transformer: Pooling, Normalize
    <pooling>/config.json                how the vectors of a text's tokens become one
    sentence_bert_config.json            max_seq_length (optional; else the tokenizer's own truncation, else 512)

Nothing of Triton in here.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Encoding, Tokenizer

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

WEIGHTS: Final = ("model.onnx", "onnx/model.onnx")
TOKEN_OUTPUTS: Final = ("last_hidden_state", "token_embeddings")
DEFAULT_MAX_TOKENS: Final = 512
MAX_TOKENS_A_RUN: Final = 2048
POOLINGS: Final = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens")
"""In the order in which sentence-transformers joins them when several are on."""


class InvalidModel(Exception):
    """The folder is not a model that can be served; the message names the file, the expectation and the finding."""


@dataclass(frozen=True)
class Layout:
    """What the JSON files of a folder say."""

    weights: Path
    poolings: tuple[str, ...]
    normalize: bool
    max_tokens: int


def read_layout(folder: Path) -> Layout:
    """The layout of a model folder. Raises InvalidModel."""
    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise InvalidModel(f"expected {' or '.join(WEIGHTS)} in the model's folder, found neither")
    if not (folder / "tokenizer.json").is_file():
        raise InvalidModel("expected tokenizer.json in the model's folder, found none")
    poolings: tuple[str, ...] = ()
    normalize = False
    for module in _read(folder, "modules.json", list):
        kind = str(module.get("type", "") if isinstance(module, dict) else module).rpartition(".")[2]
        if kind == "Pooling":
            poolings = _read_poolings(folder, f"{module['path']}/config.json")
        elif kind == "Normalize":
            normalize = True
        elif kind != "Transformer":
            raise InvalidModel(f"modules.json: expected Transformer, Pooling and Normalize, got {kind!r}")
    if not poolings:
        raise InvalidModel("modules.json: expected a Pooling, found none: the model gives no vector for a text")
    max_tokens = DEFAULT_MAX_TOKENS
    if (folder / "sentence_bert_config.json").is_file():
        max_tokens = int(_read(folder, "sentence_bert_config.json", dict).get("max_seq_length") or max_tokens)
    return Layout(weights, poolings, normalize, max_tokens)


def _read_poolings(folder: Path, name: str) -> tuple[str, ...]:
    config = _read(folder, name, dict)
    wanted = tuple(
        key.removeprefix("pooling_mode_") for key, on in config.items() if key.startswith("pooling_mode_") and on
    )
    if isinstance(config.get("pooling_mode"), str):  # the newer form: one name
        newer = {
            "cls": "cls_token",
            "max": "max_tokens",
            "mean": "mean_tokens",
            "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
        }
        wanted = (newer.get(config["pooling_mode"], config["pooling_mode"]),)
    if unknown := [mode for mode in wanted if mode not in POOLINGS]:
        raise InvalidModel(f"{name}: expected one of {', '.join(POOLINGS)}, got {', '.join(unknown)}")
    return tuple(mode for mode in POOLINGS if mode in wanted)


def _read(folder: Path, name: str, kind: type) -> Any:
    path = folder / name
    if not path.is_file():
        raise InvalidModel(f"expected {name} in the model's folder, found none")
    try:
        document = json.loads(path.read_text())
    except ValueError as error:
        raise InvalidModel(f"{name}: expected JSON, got: {error}") from error
    if not isinstance(document, kind):
        raise InvalidModel(f"{name}: expected a JSON {kind.__name__}, got {type(document).__name__}")
    return document


def pool(vectors: Floats, mask: Integers, poolings: tuple[str, ...]) -> Floats:
    """One vector a text: (n, tokens, d) and (n, tokens) → (n, d · len(poolings)).

    As sentence_transformers.models.Pooling does it; a padded token (mask 0) counts for nothing.
    """
    weights = mask[:, :, None].astype(np.float32)  # (n, tokens, 1)
    count = np.maximum(weights.sum(axis=1), 1e-9)  # (n, 1)
    pooled = []
    for pooling in poolings:
        if pooling == "cls_token":
            pooled.append(vectors[:, 0])
        elif pooling == "max_tokens":
            pooled.append(np.where(weights > 0, vectors, np.float32(-1e9)).max(axis=1))
        elif pooling == "mean_tokens":
            pooled.append((vectors * weights).sum(axis=1) / count)
        else:
            pooled.append((vectors * weights).sum(axis=1) / np.sqrt(count))
    joined: Floats = np.concatenate(pooled, axis=1).astype(np.float32)
    return joined


def unit(vectors: Floats) -> Floats:
    """Each row at length 1; a row of zeros stays."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return scaled


def runs(lengths: list[int], max_tokens: int = MAX_TOKENS_A_RUN) -> list[list[int]]:
    """Which texts (by index) go through the model together: alike in length, and few enough for the memory.

    A run is padded to its longest text; attention costs its number times that length squared. 32 texts of 256 tokens
    at once took 1.5 GB and no less time than eight runs of 4.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if batches and (len(batches[-1]) + 1) * lengths[index] <= max_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


class Embedder:
    """A loaded model. One thread: an instance is one core, more cores are more instances."""

    def __init__(self, folder: Path) -> None:
        """Load from a folder. Raises InvalidModel."""
        self._layout = read_layout(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        options.enable_cpu_mem_arena = False  # it keeps what the largest batch so far took, and is no faster
        try:
            self._session = onnxruntime.InferenceSession(str(self._layout.weights), options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a class of its own for each status code, none of them public
            raise InvalidModel(f"{self._layout.weights.name}: onnxruntime can't read it: {_tail(error)}") from error
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        if unknown := self._inputs - {"input_ids", "attention_mask", "token_type_ids"}:
            raise InvalidModel(f"{self._layout.weights.name}: inputs that a tokenizer does not give: {sorted(unknown)}")
        outputs = [entry.name for entry in self._session.get_outputs()]
        self._output = next((name for name in TOKEN_OUTPUTS if name in outputs), outputs[0])
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the same in tokenizers
            raise InvalidModel(f"tokenizer.json: tokenizers can't read it: {_tail(error)}") from error
        self._pad = int((self._tokenizer.padding or {}).get("pad_id") or self._tokenizer.token_to_id("[PAD]") or 0)
        self._special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._layout.max_tokens)
        self.embed(["a"])  # a model that can't compute fails here and not at its first request

    def embed(self, texts: list[str]) -> tuple[Floats, npt.NDArray[np.int32]]:
        """Embeddings (n, d) and token counts (n, 2): of the whole text, and of what the model saw of it."""
        encodings = self._tokenizer.encode_batch(texts)
        seen = [len(encoding.ids) for encoding in encodings]
        # What was cut off stands in further encodings, each with the special tokens again.
        whole = [
            n + sum(len(o.ids) - self._special for o in e.overflowing) for n, e in zip(seen, encodings, strict=True)
        ]
        embeddings: dict[int, Floats] = {}
        for indices in runs(seen):
            vectors = self._run([encodings[index] for index in indices])
            embeddings.update(zip(indices, vectors, strict=True))
        stacked = np.stack([embeddings[index] for index in range(len(texts))])
        return (unit(stacked) if self._layout.normalize else stacked), np.array([whole, seen], dtype=np.int32).T

    def _run(self, encodings: list[Encoding]) -> Floats:
        shape = (len(encodings), max(len(encoding.ids) for encoding in encodings))
        feed = {
            "input_ids": np.full(shape, self._pad, dtype=np.int64),
            "attention_mask": np.zeros(shape, dtype=np.int64),
            "token_type_ids": np.zeros(shape, dtype=np.int64),
        }  # each (n, tokens)
        for row, encoding in enumerate(encodings):
            feed["input_ids"][row, : len(encoding.ids)] = encoding.ids
            feed["attention_mask"][row, : len(encoding.ids)] = 1
            feed["token_type_ids"][row, : len(encoding.ids)] = encoding.type_ids
        (vectors,) = self._session.run([self._output], {name: feed[name] for name in self._inputs})
        if vectors.ndim != 3:
            raise InvalidModel(f"{self._layout.weights.name}: expected one vector a token, got shape {vectors.shape}")
        return pool(vectors, feed["attention_mask"], self._layout.poolings)


def _tail(error: Exception) -> str:
    """What a library says, on one line and without the folder that it says it of."""
    return " ".join(str(error).split()).rpartition("/")[2][:300]
