"""Text to tokens: tokenizers as the hub or OpenAI ship them, and a folder of text as one memory-mapped file.

A prepared folder holds tokens.bin (all tokens one after the other, little-endian uint16 or uint32), tokenizer.json, and
tokens.json, which is written last and says what the others are:

    {"formatVersion": 1, "tokens": 1115394, "dtype": "uint16", "sha256": "<of tokens.bin>", "vocabulary": 50257,
     "documents": 78}

A folder that a run prepares for itself is named after the text and the tokenizer that it was made of (`identity`), so
tokens of a text that was edited since are never taken for its. A run that has begun knows its own by their sum (`of`).
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
TOKENIZERS: Final = ((TOKENIZER,), ("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt"))
"""The files of a tokenizer in a folder: the first of these that are all there. The last two are GPT-2's original."""
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


def identity(source: Path, tokenizer: Path) -> str:
    """Which text and which tokenizer these are, hex: another one after any edit. Raises InvalidJob.

    Files are known by path, size and time of change, as make and rsync know them: that is asked at each start, and
    reads none of the text. Of that time whole seconds: SFTP, by which another machine may see them, knows no others.
    One that was only copied anew makes the same tokens once more. The inode's own time
    would be surer, but a volume that is handed to another pod's group (fsGroup) has that changed.
    """
    known = hashlib.sha256(f"{FORMAT_VERSION}\n".encode())
    texts = [(file.relative_to(source).as_posix(), file) for file in _texts(source)]
    for name, file in (*texts, *((file.name, file) for file in _tokenizer_files(tokenizer))):
        found = file.stat()
        known.update(os.fsencode(f"{name}\0{found.st_size}\0{int(found.st_mtime)}\n"))
    return known.hexdigest()


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


def of(folder: Path, sha256: str) -> Tokens | None:
    """The prepared folder in `folder`, or `folder` itself, whose tokens have this sum; None if there is none."""
    for one in (folder, *sorted(folder.glob("[!.]*"))):
        if prepared(one) and (found := read(one)).sha256 == sha256:
            return found
    return None


def remove_outdated(folder: Path, data: Tokens) -> None:
    """Of the folders in `folder` leave only that of `data`; none if it was prepared elsewhere."""
    for other in folder.iterdir() if folder.exists() and folder != data.folder else ():
        if other != data.folder:
            shutil.rmtree(other) if other.is_dir() else other.unlink()


def open_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json, a folder with one, or a folder with GPT-2's original files. Raises InvalidJob."""
    files = _tokenizer_files(path)
    if len(files) > 1:
        return _byte_level(*files)
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(files[0]))
    except Exception as error:  # tokenizers raises no other type
        raise InvalidJob(f"{files[0]}: expected a tokenizer.json, found {error}") from error
    tokenizer.no_truncation()  # what a sentence encoder's file says of its inputs is not meant for a corpus
    tokenizer.no_padding()
    return tokenizer


def _tokenizer_files(path: Path) -> tuple[Path, ...]:
    """What a tokenizer is read from. Raises InvalidJob."""
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise InvalidJob(f"{path}: expected a tokenizer.json, or a folder with one, found neither")
    for names in TOKENIZERS:
        files = tuple(path / name for name in names)
        if all(file.exists() for file in files):
            return files
    raise InvalidJob(f"{path}: expected tokenizer.json, or encoder.json and vocab.bpe, found neither")


def _byte_level(vocabulary: Path, merges: Path) -> Tokenizer:
    """GPT-2's: byte-level BPE, with its one special token."""
    tokenizer = ByteLevelBPETokenizer(str(vocabulary), str(merges))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    plain: Tokenizer = tokenizer._tokenizer  # which alone can be saved and stream
    return plain


def _documents(source: Path) -> Iterator[str]:
    """The documents in a folder, in the order of its files. Raises InvalidJob."""
    for file in _texts(source):
        if file.suffix == ".txt":
            yield file.read_text(errors="replace")
        else:
            yield from _lines(file)


def _texts(source: Path) -> list[Path]:
    """The files with text in a folder, by path in byte order."""
    return sorted((path for path in source.rglob("*") if path.suffix in (".txt", ".jsonl")), key=os.fsencode)


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
