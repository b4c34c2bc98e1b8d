"""`python -m workloads.training COMMAND …`.

launch     torchrun with `train` in it: what a pod runs
train      one worker of a training run
prepare    a folder of text → a folder of tokens
generate   text from a finished model, as it comes
curve      the loss curve of a job's folder as a PNG
"""

import importlib
import sys
from typing import Final

COMMANDS: Final = ("launch", "train", "prepare", "generate", "curve")


def main(arguments: list[str]) -> int:
    """Run one command; each is a module with a `main`, imported only if it is meant: torch takes seconds."""
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    code: int = importlib.import_module(f"workloads.training.{arguments[0]}").main(arguments[1:])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
