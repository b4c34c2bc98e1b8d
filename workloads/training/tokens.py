"""Text to tokens: tokenizers as the hub or OpenAI ship them, and a folder of text as one memory-mapped file.

A prepared folder holds tokens.bin (all tokens one after the other, little-endian uint16 or uint32), tokenizer.json, and
tokens.json, which is written last and says what the others are:

    {"formatVersion": 1, "tokens": 1115394, "dtype": "uint16", "sha256": "<of tokens.bin>", "vocabulary": 50257,
     "documents": 78}
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from tokenizers import ByteLevelBPETokenizer, Tokenizer

from workloads.training.errors import InvalidJob

FORMAT_VERSION: Final = 1
TOKENIZER: Final = "tokenizer.json"
SEPARATORS: Final = ("<|endoftext|>", "[SEP]", "</s>")
"""What stands behind each document: the first of these that the tokenizer has."""
AT_ONCE: Final = 64
"""Documents that are encoded together, in parallel."""


@dataclass(frozen=True)
class Tokens:
    """A prepared folder."""

    folder: Path
    tokens: int
    dtype: str
    sha256: str
    vocabulary: int
    documents: int

    def open(self) -> "np.memmap[tuple[int], np.dtype[np.uint16 | np.uint32]]":
        """All tokens, (tokens), read from disk as they are asked for."""
        return np.memmap(self.folder / "tokens.bin", dtype=self.dtype, mode="r")

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that made them."""
        return Tokenizer.from_file(str(self.folder / TOKENIZER))


def prepared(folder: Path) -> bool:
    """Whether `folder` is a prepared one."""
    return (folder / "tokens.json").exists()


def read(folder: Path) -> Tokens:
    """The prepared folder. Raises InvalidJob."""
    file = folder / "tokens.json"
    try:
        said = json.loads(file.read_text())
        if (version := int(said["formatVersion"])) > FORMAT_VERSION:
            raise InvalidJob(f"{file}: formatVersion: expected at most {FORMAT_VERSION}, got {version}")
        named = {name: said[name] for name in ("tokens", "dtype", "sha256", "vocabulary", "documents")}
        found = Tokens(folder=folder, **named)
        size = (folder / "tokens.bin").stat().st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidJob(f"{file}: expected what `prepare` writes, found {type(error).__name__}: {error}") from error
    if size != (expected := found.tokens * np.dtype(found.dtype).itemsize):
        raise InvalidJob(f"{folder}/tokens.bin: expected {expected} bytes, found {size}; prepare it again")
    return found


def prepare(source: Path, tokenizer: Tokenizer, folder: Path, told: Callable[[int], None] = lambda _: None) -> Tokens:
    """Write all documents of `source` as tokens; the folder takes its name once it is whole.

    `told` gets the number of tokens so far, now and then. Raises InvalidJob where there is no text.
    """
    vocabulary = tokenizer.get_vocab_size()
    dtype = np.dtype("<u2" if vocabulary <= 1 << 16 else "<u4")
    found = [tokenizer.token_to_id(name) for name in SEPARATORS]
    separator = next((number for number in found if number is not None), None)
    landing = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(landing, ignore_errors=True)
    landing.mkdir(parents=True)
    digest, count, documents = hashlib.sha256(), 0, 0
    texts = _documents(source)
    with (landing / "tokens.bin").open("wb") as out:
        while some := list(islice(texts, AT_ONCE)):
            for encoded in tokenizer.encode_batch(some, add_special_tokens=False):
                ids = encoded.ids if separator is None else [*encoded.ids, separator]
                written = np.asarray(ids, dtype=dtype).tobytes()
                digest.update(written)
                out.write(written)
                count += len(ids)
            documents += len(some)
            told(count)
        _sync(out.fileno(), out.flush)
    if not documents:
        raise InvalidJob(f"{source}: expected *.txt or *.jsonl with some text, found none")
    tokenizer.save(str(landing / TOKENIZER))
    result = Tokens(folder, count, dtype.name, digest.hexdigest(), vocabulary, documents)
    said = {"formatVersion": FORMAT_VERSION, **{k: v for k, v in asdict(result).items() if k != "folder"}}
    with (landing / "tokens.json").open("w") as about:
        json.dump(said, about, indent=1)
        _sync(about.fileno(), about.flush)
    shutil.rmtree(folder, ignore_errors=True)
    landing.rename(folder)
    return result


def open_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json, a folder with one, or a folder with GPT-2's original files. Raises InvalidJob."""
    if path.is_dir():
        if (path / TOKENIZER).exists():
            return open_tokenizer(path / TOKENIZER)
        for vocabulary, merges in (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")):
            if (path / vocabulary).exists() and (path / merges).exists():
                return _byte_level(path / vocabulary, path / merges)
        raise InvalidJob(f"{path}: expected tokenizer.json, or encoder.json and vocab.bpe, found neither")
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises no other type
        raise InvalidJob(f"{path}: expected a tokenizer.json, found {error}") from error
    tokenizer.no_truncation()  # what a sentence encoder's file says of its inputs is not meant for a corpus
    tokenizer.no_padding()
    return tokenizer


def _byte_level(vocabulary: Path, merges: Path) -> Tokenizer:
    """GPT-2's: byte-level BPE, with its one special token."""
    tokenizer = ByteLevelBPETokenizer(str(vocabulary), str(merges))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    plain: Tokenizer = tokenizer._tokenizer  # which alone can be saved and stream
    return plain


def _documents(source: Path) -> Iterator[str]:
    """The documents in a folder, files by path in byte order. Raises InvalidJob."""
    for file in sorted(source.rglob("*"), key=lambda path: path.as_posix().encode()):
        if file.suffix == ".txt":
            yield file.read_text(errors="replace")
        elif file.suffix == ".jsonl":
            yield from _lines(file)


def _lines(file: Path) -> Iterator[str]:
    with file.open(errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                text = json.loads(line)["text"]
            except (ValueError, KeyError, TypeError) as error:
                raise InvalidJob(f"{file}:{number}: expected an object with `text`, found {error}") from error
            if not isinstance(text, str):
                raise InvalidJob(f"{file}:{number}: text: expected a string, found {type(text).__name__}")
            yield text


def _sync(number: int, flush: Callable[[], None]) -> None:
    flush()
    os.fsync(number)
