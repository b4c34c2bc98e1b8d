"""The commands do what they say, and a job that no retry can help is told so by exit code 64."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertForMaskedLM, GPT2LMHeadModel

from tests.integration.training.run import ENVIRONMENT, PYTHON, Run
from tools import minilm
from workloads.training import tokens, train, weights
from workloads.training.config import Data, Family, Job, Model, Shape, State
from workloads.training.tokens import Tokens


def command(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*PYTHON, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT)


def prepared_of(run: Run) -> Tokens:
    """The tokens that a run has made for itself, once."""
    (folder,) = (run.folder / "tokens").iterdir()
    return tokens.read(folder)


def test_a_finished_model_opens_in_transformers(sharded: Run) -> None:
    theirs, told = GPT2LMHeadModel.from_pretrained(sharded.folder / "model", output_loading_info=True)
    assert not any(told.values()), told
    shape = weights.read_shape(Family.GPT2, sharded.folder / "model/config.json")
    model = weights.build(Family.GPT2, shape).eval()
    weights.load(model, Family.GPT2, sharded.folder / "model")
    given = torch.randint(0, 300, (2, 32))
    with torch.no_grad():
        assert torch.allclose(model(given), theirs.eval()(given).logits, atol=1e-5)


def test_a_finished_model_goes_on_with_a_text(sharded: Run) -> None:
    ran = command("generate", sharded.folder / "model", "the cat", "--tokens", "20", "--temperature", "0")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("the cat")
    assert len(ran.stdout) > 20
    again = command("generate", sharded.folder / "model", "the cat", "--tokens", "20", "--temperature", "0")
    assert again.stdout == ran.stdout


def test_a_finished_job_that_is_run_again_is_finished(job: Job, sharded: Run, tmp_path: Path) -> None:
    shutil.copytree(sharded.folder, tmp_path / "run")
    run = Run(job, tmp_path / "run")
    ran = command("train", "--job", run.folder / "job.json")
    assert ran.returncode == 0, ran.stderr
    assert run.progress() == replace(sharded.progress(), workers=1, tokens_per_second=0.0)


def test_the_curve_is_drawn(sharded: Run, tmp_path: Path) -> None:
    ran = command("curve", sharded.folder, "--out", tmp_path / "curve.png")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_prepared_tokens_are_taken_as_they_are(job: Job, corpus: Path, sharded: Run, tmp_path: Path) -> None:
    ran = command("prepare", corpus / "text", corpus / "tokenizer.json", tmp_path / "tokens")
    assert ran.returncode == 0, ran.stderr
    assert tokens.read(tmp_path / "tokens").sha256 == prepared_of(sharded).sha256
    run = Run(replace(job, data=Data(str(tmp_path / "tokens"), 32), steps=6), tmp_path / "run")
    ran = command("train", "--job", run.folder / "job.json")
    assert ran.returncode == 0, ran.stderr
    assert run.losses()[0] == pytest.approx(sharded.losses()[0], abs=1e-5)
    assert not (run.folder / "tokens").exists()


def test_bert_goes_on_from_its_original_weights(job: Job, corpus: Path, tmp_path: Path) -> None:
    data = Data(str(corpus / "text"), 32, str(minilm.original()))
    model = Model(Family.BERT, init=str(minilm.original()))
    run = Run(replace(job, model=model, data=data, steps=6, microbatch=8), tmp_path / "run")
    run.finish(workers=2)
    losses = run.losses()
    assert losses[-1] < losses[0] < 12  # the head is new, and starts near ln 30522
    _, told = BertForMaskedLM.from_pretrained(run.folder / "model", output_loading_info=True)
    assert not any(told.values()), told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"data": {"sequence_length": 128}},
            "data.sequence_length (seqLen): expected at most the model's context 64, got 128",
        ),
        ({"model": {"shape": Shape(2, 2, 32, 64, 299)}}, "at least the tokenizer's 300, got 299"),
        ({"data": {"tokenizer": "/nowhere.json"}}, "/nowhere.json: expected a tokenizer.json"),
        ({"data": {"tokenizer": ""}}, "is not prepared, got ''"),
        ({"model": {"shape": None, "size": "3B"}}, "model.size: expected one of 124M"),
        ({"model": {"init": "/nowhere"}}, "/nowhere: expected a safetensors file"),
        ({"data": {"path": "/nowhere"}}, "/nowhere: expected *.txt or *.jsonl with some text, found none"),
    ],
    ids=["context", "vocabulary", "tokenizer", "no tokenizer", "size", "init", "data"],
)
def test_a_job_that_cannot_be_trained_is_told_why(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, dict[str, Any]], told: str
) -> None:
    changed: dict[str, Any] = {name: replace(getattr(job, name), **fields) for name, fields in change.items()}
    run = Run(replace(job, global_batch_tokens=1024, **changed), tmp_path / "run")
    assert train.main(["--job", str(run.folder / "job.json")]) == 64
    assert told in capsys.readouterr().err
    assert run.progress().state is State.INVALID
    assert told in run.progress().message


def test_torchrun_hands_the_exit_code_on(job: Job, tmp_path: Path) -> None:
    run = Run(replace(job, global_batch_tokens=3 * 32), tmp_path / "run")
    process = run.start(workers=2)
    assert process.wait(60) == 64, process.tail()
    assert "expected sequences for 2 workers alike, got 3" in run.progress().message


@pytest.fixture
def edited(job: Job, sharded: Run, corpus: Path, tmp_path: Path) -> Run:
    """The finished job, with a text of its own that a test may edit."""
    shutil.copytree(sharded.folder, tmp_path / "run")
    shutil.copytree(corpus / "text", tmp_path / "text")
    return Run(replace(job, data=replace(job.data, path=str(tmp_path / "text"))), tmp_path / "run")


def test_a_run_whose_text_was_edited_goes_on_with_the_tokens_it_began_with_and_says_so(
    edited: Run, sharded: Run, tmp_path: Path
) -> None:
    before = prepared_of(edited)
    shutil.rmtree(edited.checkpoint(30))
    (tmp_path / "text/a.txt").write_text("the cat sat on a mat " * 500)
    edited.finish(workers=2)
    assert prepared_of(edited) == before
    assert edited.losses() == pytest.approx(sharded.losses(), abs=1e-6)
    assert "the text or the tokenizer was changed since the run began" in edited.progress().message


def test_a_run_whose_tokens_are_gone_does_not_go_on_with_an_edited_text_until_it_is_put_back(
    edited: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text/a.txt"
    written, before = text.read_text(), prepared_of(edited)
    shutil.rmtree(edited.folder / "tokens")
    text.write_text("the " + written)
    arguments = ["--job", str(edited.folder / "job.json")]
    assert train.main(arguments) == 64
    told = capsys.readouterr().err
    assert (
        f"checkpoints: data: expected the tokens that the checkpoints were trained on (sha256 {before.sha256[:12]}…)"
        in told
    )
    assert edited.progress().message in told
    text.write_text(written)
    assert train.main(arguments) == 0
    assert prepared_of(edited).sha256 == before.sha256


def test_a_run_that_has_no_checkpoint_yet_begins_with_the_edited_text(edited: Run, tmp_path: Path) -> None:
    before = prepared_of(edited)
    shutil.rmtree(edited.folder / "checkpoints")
    (tmp_path / "text/a.txt").write_text("the cat sat on a mat " * 500)
    edited.finish(workers=2)
    assert prepared_of(edited).sha256 != before.sha256


# The first two torch itself would find, in its own words and a retry at a time; the last one nothing would.
@pytest.mark.parametrize(
    "shape", [Shape(3, 2, 32, 64, 300), Shape(2, 2, 64, 64, 300), Shape(2, 4, 32, 64, 300)], ids=str
)
def test_a_run_does_not_go_on_as_another_model(
    job: Job, sharded: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: Shape
) -> None:
    shutil.copytree(sharded.folder, tmp_path / "run")
    run = Run(replace(job, model=Model(Family.GPT2, shape=shape)), tmp_path / "run")
    assert train.main(["--job", str(run.folder / "job.json")]) == 64
    assert "model: expected that of the checkpoints, gpt2 of layers 2, heads 2, width 32" in capsys.readouterr().err
    assert run.progress().state is State.INVALID


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "seed: expected that of the checkpoints, 0, got 1"),
        ({"global_batch_tokens": 512}, "global_batch_tokens: expected that of the checkpoints, 256, got 512"),
        ({"data": {"sequence_length": 64}}, "data.sequence_length: expected that of the checkpoints, 32, got 64"),
    ],
    ids=["seed", "batch", "sequence"],
)
def test_a_run_does_not_go_on_with_its_data_in_another_order(
    job: Job, sharded: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], told: str
) -> None:
    shutil.copytree(sharded.folder, tmp_path / "run")
    changed: dict[str, Any] = {
        name: replace(getattr(job, name), **value) if isinstance(value, dict) else value
        for name, value in change.items()
    }
    run = Run(replace(job, **changed), tmp_path / "run")
    assert train.main(["--job", str(run.folder / "job.json")]) == 64
    assert told in capsys.readouterr().err
    assert run.progress().state is State.INVALID


def test_what_is_no_job_is_refused(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{}")
    ran = command("train", "--job", tmp_path / "job.json")
    assert ran.returncode == 64
    assert "not a training job" in ran.stderr
