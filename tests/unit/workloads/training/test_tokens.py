"""A folder of text becomes a file of tokens that says what it is, whole or not at all."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from workloads.training import tokens
from workloads.training.config import Checkpoints, Data, Family, Job, Model
from workloads.training.errors import InvalidJob
from workloads.training.objectives import objective

WORDS = ["[CLS]", "[SEP]", "[MASK]", "[UNK]", *(f"w{number}" for number in range(100))]


@pytest.fixture
def tokenizer() -> Tokenizer:
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "text"
    folder.mkdir()
    (folder / "b.txt").write_text("w1 w2 w3")
    (folder / "a.jsonl").write_text('{"text": "w4 w5"}\n{"text": "w6"}\n')
    return folder


def job(family: Family, length: int) -> Job:
    data = Data("", sequence_length=length)
    return Job("j", Model(family, size="x"), data, Checkpoints(""), steps=1, global_batch_tokens=length)


def test_documents_follow_by_name_each_with_its_end(source: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    made = tokens.prepare(source, tokenizer, tmp_path / "tokens")
    words = [WORDS[number] for number in made.open()]
    assert words == ["w4", "w5", "[SEP]", "w6", "[SEP]", "w1", "w2", "w3", "[SEP]"]
    assert tokens.read(tmp_path / "tokens") == made
    assert (made.documents, made.tokens, made.dtype) == (3, 9, "uint16")


def test_equal_text_has_an_equal_digest(source: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    first = tokens.prepare(source, tokenizer, tmp_path / "first")
    assert tokens.prepare(source, tokenizer, tmp_path / "second").sha256 == first.sha256
    (source / "b.txt").write_text("w1 w2 w4")
    assert tokens.prepare(source, tokenizer, tmp_path / "third").sha256 != first.sha256


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: (folder / "text/b.txt").write_text("w1 w2 w3 w4"),
        lambda folder: os.utime(folder / "text/b.txt", (1, 1)),  # as long as before
        lambda folder: (folder / "text/b.txt").rename(folder / "text/c.txt"),
        lambda folder: (folder / "text/c.txt").write_text("w1"),
        lambda folder: (folder / "text/a.jsonl").unlink(),
        lambda folder: (folder / "tokenizer.json").write_text("{ }"),
    ],
    ids=["longer", "as long", "renamed", "one more", "one less", "tokenizer"],
)
def test_an_edited_text_or_tokenizer_is_another(source: Path, tmp_path: Path, edit: Callable[[Path], object]) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    (source / "notes.md").write_text("not read")
    before = tokens.identity(source, tmp_path / "tokenizer.json")
    (source / "notes.md").write_text("not read either")
    assert tokens.identity(source, tmp_path) == before  # by its folder too
    edit(tmp_path)
    assert tokens.identity(source, tmp_path) != before


def test_a_run_finds_its_own_tokens_by_their_sum_and_keeps_no_others(
    source: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    kept = tmp_path / "tokens"
    first = tokens.prepare(source, tokenizer, kept / "first")
    (source / "b.txt").write_text("w1 w2 w4")
    second = tokens.prepare(source, tokenizer, kept / "second")
    assert (tokens.of(kept, first.sha256), tokens.of(kept, second.sha256)) == (first, second)
    tokens.remove_outdated(kept, first)
    assert (tokens.of(kept, first.sha256), tokens.of(kept, second.sha256)) == (first, None)


def test_tokens_as_they_were_laid_out_before_are_found_and_kept(
    source: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    made = tokens.prepare(source, tokenizer, tmp_path / "tokens")
    found = tokens.of(tmp_path / "tokens", made.sha256)
    assert found == made
    tokens.remove_outdated(tmp_path / "tokens", made)
    assert tokens.read(tmp_path / "tokens") == made


def test_a_broken_line_is_told_with_its_place_and_leaves_nothing(
    source: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    (source / "c.jsonl").write_text('{"text": "w1"}\n{"body": "w1"}\n')
    with pytest.raises(InvalidJob, match=r"c.jsonl:2: expected an object with `text`"):
        tokens.prepare(source, tokenizer, tmp_path / "tokens")
    assert not tokens.prepared(tmp_path / "tokens")


def test_a_folder_without_text_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidJob, match=r"expected \*.txt or \*.jsonl"):
        tokens.prepare(tmp_path / "empty", tokenizer, tmp_path / "tokens")


def test_a_cut_file_of_tokens_is_refused(source: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokens.prepare(source, tokenizer, tmp_path / "tokens")
    (tmp_path / "tokens/tokens.bin").write_bytes(b"123")
    with pytest.raises(InvalidJob, match="expected 18 bytes, found 3"):
        tokens.read(tmp_path / "tokens")


def test_a_newer_format_is_refused(source: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokens.prepare(source, tokenizer, tmp_path / "tokens")
    about = tmp_path / "tokens/tokens.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"formatVersion": 2}))
    with pytest.raises(InvalidJob, match="expected at most 1, got 2"):
        tokens.read(tmp_path / "tokens")


def test_gpt2_predicts_each_next_token(source: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    made = tokens.prepare(source, tokenizer, tmp_path / "tokens")
    batches = objective(job(Family.GPT2, 4), made)
    inputs, targets = batches.batch([(0, 1), (0, 0)])
    text = made.open()
    assert batches.total == 2
    assert inputs.tolist() == [text[4:8].tolist(), text[:4].tolist()]
    assert targets.tolist() == [text[5:9].tolist(), text[1:5].tolist()]


def test_bert_predicts_what_is_masked_within_its_frame(source: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    made = tokens.prepare(source, tokenizer, tmp_path / "tokens")
    inputs, targets = objective(job(Family.BERT, 6), made).batch([(0, 1), (1, 1)])
    for row, target in zip(inputs, targets, strict=True):
        assert (row[0], row[-1]) == (0, 1)
        assert (target != -100).sum() == 1
        assert np.where(target != -100, target, row)[1:-1].tolist() == made.open()[4:8].tolist()


@pytest.mark.parametrize("family", Family)
def test_too_little_text_is_told(source: Path, tokenizer: Tokenizer, tmp_path: Path, family: Family) -> None:
    made = tokens.prepare(source, tokenizer, tmp_path / "tokens")
    with pytest.raises(InvalidJob, match=r"expected more than data\.sequence_length 64 tokens, found 9"):
        objective(job(family, 64), made)
