"""A small text, a tokenizer for it, a small job, and that job's runs without a fault.

These tests run in the environment `training-tests`, which lacks what the conftest above this one imports
(tests/side_by_side.py cuts it off).
"""

import random
from pathlib import Path
from typing import Final

import pytest
from tokenizers import ByteLevelBPETokenizer

from tests.integration.training.run import Run
from workloads.training.config import Checkpoints, Data, Family, Job, Model, Optimizer, Shape, Strategy

STEPS: Final = 30
WORDS: Final = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "dog",
    "ran",
    "far",
    "from",
    "home",
    "naïve",
    "日本",
    "😀",
]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with text, and a tokenizer for it."""
    folder, dice = tmp_path_factory.mktemp("corpus"), random.Random(0)
    (folder / "text").mkdir()
    for name in ("a", "b"):
        (folder / f"text/{name}.txt").write_text(" ".join(dice.choice(WORDS) for _ in range(5000)))
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train([str(folder / "text/a.txt")], vocab_size=300, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def job(corpus: Path) -> Job:
    """30 steps of a GPT-2 of 2 layers, by FSDP2 where there are 2 workers."""
    return Job(
        name="small",
        model=Model(Family.GPT2, shape=Shape(layers=2, heads=2, width=32, context=64, vocabulary=300)),
        data=Data(str(corpus / "text"), sequence_length=32, tokenizer=str(corpus / "tokenizer.json")),
        checkpoints=Checkpoints(folder="", every_steps=6, keep=3),
        steps=STEPS,
        global_batch_tokens=8 * 32,
        microbatch=2,
        optimizer=Optimizer(learning_rate=1e-3, warmup_steps=5),
        strategy=Strategy.FSDP2,
    )


@pytest.fixture(scope="session")
def sharded(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The job, finished by 2 workers under FSDP2."""
    run = Run(job, tmp_path_factory.mktemp("sharded"))
    run.finish(workers=2)
    return run
