"""`python -m workloads.training prepare TEXT TOKENIZER FOLDER`: a folder of text → a folder of tokens."""

import argparse
import sys
from pathlib import Path

from workloads.training import tokens
from workloads.training.errors import TrainingError


def main(arguments: list[str]) -> int:
    """Write the folder, whole or not at all, and say what is in it."""
    parser = argparse.ArgumentParser(prog="python -m workloads.training prepare", description=__doc__)
    parser.add_argument("text", type=Path, help="a folder of *.txt and *.jsonl (field `text`)")
    parser.add_argument(
        "tokenizer", type=Path, help="tokenizer.json, or a folder with it or with GPT-2's original files"
    )
    parser.add_argument("folder", type=Path, help="where the tokens go")
    asked = parser.parse_args(arguments)

    def told(count: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{count:,} tokens", end="", file=sys.stderr)

    try:
        made = tokens.prepare(asked.text, tokens.open_tokenizer(asked.tokenizer), asked.folder, told)
    except TrainingError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\r{made.folder}: {made.tokens:,} tokens of {made.documents:,} documents, sha256 {made.sha256}")
    return 0
