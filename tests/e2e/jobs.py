"""Training jobs of next to nothing, for tests: declared, applied, looked at."""

import json
from pathlib import Path
from typing import Any, Final

from tests.e2e import lab as labs
from tests.e2e.lab import Lab
from tools import gpt2

TOKENIZER: Final = ("encoder.json", "vocab.bpe")
STEPS: Final = 60


def job(name: str, **spec: Any) -> dict[str, Any]:
    """A model of nearly nothing on two workers."""
    shape = {"layers": 1, "heads": 2, "width": 16, "context": 32, "vocabulary": 50257}
    declared = {
        "model": {"family": "gpt2", "shape": shape},
        "data": {"uri": "pvc://data/tale", "tokenizer": "pvc://data/tale", "seqLen": 32},
        "objective": {"steps": STEPS, "globalBatchTokens": 256},
        "parallelism": {"strategy": "fsdp2", "mesh": {"dp": 2}},
        "workers": {"count": 2, "cpu": "100m", "memory": "2Gi"},
        "checkpoint": {"everySteps": 5, "keep": 2},
        **spec,
    }
    metadata = {"name": name, "namespace": "ml"}
    spec = {field: value for field, value in declared.items() if value is not None}
    return {"apiVersion": "homespun.dev/v1alpha1", "kind": "TrainingJob", "metadata": metadata, "spec": spec}


def program(name: str, code: str, **spec: Any) -> dict[str, Any]:
    """Some lines of anybody's own, in the image that has torch."""
    own = {"command": ["python", "-c", code]}
    return job(name, model=None, data=None, objective=None, parallelism=None, checkpoint=None, program=own, **spec)


def apply(lab: Lab, document: dict[str, Any]) -> None:
    lab.kubectl("apply", "-f", "-", input=json.dumps(document))


def status(lab: Lab, name: str) -> dict[str, Any]:
    return labs.status(lab, "tj", name)


def succeeded(lab: Lab, name: str) -> dict[str, Any]:
    """The condition."""
    told: dict[str, Any] = {entry["type"]: entry for entry in status(lab, name)["conditions"]}["Succeeded"]
    return told


def losses(lab: Lab, name: str) -> list[float]:
    """Of each step, as the trainer left them in the claim."""
    volume = lab.kubectl("-n", "ml", "get", "pvc/data", "-o", "jsonpath={.spec.volumeName}")
    folder = lab.kubectl("get", f"pv/{volume}", "-o", "jsonpath={.spec.local.path}")
    points = [json.loads(line) for line in lab.ssh(f"cat {folder}/.training/{name}/curve.jsonl").splitlines()]
    assert [point["step"] for point in points] == list(range(1, STEPS + 1))
    return [point["loss"] for point in points]


def bring_tale(folder: Path, stack: str = labs.NAME) -> None:
    """A text and a tokenizer into the claim `data`."""
    (folder / "tale.txt").write_text("Once upon a time there was a cloud that fitted under a desk. " * 400)
    for name in TOKENIZER:
        (folder / name).write_bytes((gpt2.tokenizer() / name).read_bytes())
    labs.data(folder, "tale", stack)
