"""An encoder of sentence-transformers as a folder that `make model` takes: ONNX, tokenizer, pooling.

python3 -m venv /tmp/export
/tmp/export/bin/pip install "sentence-transformers[onnx]==5.7.*"      # brings torch: 5 GB
/tmp/export/bin/python examples/inference/export.py BAAI/bge-small-en-v1.5 ~/models/bge-small    # or a folder
"""

import sys
from pathlib import Path

from sentence_transformers import SentenceTransformer

source, target = sys.argv[1:]
model = SentenceTransformer(source, backend="onnx", model_kwargs={"export": True}, device="cpu")
model.save_pretrained(str(Path(target).expanduser()))
