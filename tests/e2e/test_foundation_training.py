"""A training job on a real cluster: two workers, one of them killed, nobody watching. Runs in order."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import lab as labs
from tests.e2e.lab import Lab
from tests.waiting import until
from tools import gpt2

TOKENIZER = ("encoder.json", "vocab.bpe")
STEPS = 60


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
    return {"apiVersion": "homespun.dev/v1alpha1", "kind": "TrainingJob", "metadata": metadata, "spec": declared}


def apply(lab: Lab, document: dict[str, Any]) -> None:
    lab.kubectl("apply", "-f", "-", input=json.dumps(document))


def status(lab: Lab, name: str) -> dict[str, Any]:
    return labs.status(lab, "tj", name)


@pytest.fixture(scope="module")
def tale(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A text and a tokenizer in the claim `data`."""
    folder: Path = tmp_path_factory.mktemp("tale")
    (folder / "tale.txt").write_text("Once upon a time there was a cloud that fitted under a desk. " * 400)
    for name in TOKENIZER:
        (folder / name).write_bytes((gpt2.tokenizer() / name).read_bytes())
    labs.data(folder, "tale")


@pytest.mark.usefixtures("tale")
def test_a_killed_worker_costs_steps_and_the_job_ends_well_while_the_operator_is_away(lab: Lab) -> None:
    apply(lab, job("tale"))
    until("a checkpoint", lambda: status(lab, "tale").get("checkpoint", {}).get("step", 0) >= 5, 180)
    assert status(lab, "tale")["state"] == "Running"
    lab.kubectl("-n", "homespun-system", "scale", "deployment/homespun-operator", "--replicas=0")
    lab.ssh("pkill -KILL -o -f 'workloads.training train'")
    path = "jsonpath={.status.terminalState}"
    until("its end", lambda: lab.kubectl("-n", "ml", "get", "jobset", "tale", "-o", path) == "Completed", 300)
    lab.kubectl("-n", "homespun-system", "scale", "deployment/homespun-operator", "--replicas=1")
    until("that it is seen", lambda: status(lab, "tale").get("state") == "Succeeded", 120)
    shown = status(lab, "tale")
    assert (shown["step"], shown["checkpoint"]["step"], shown["strategy"]) == (STEPS, STEPS, "fsdp2")
    assert shown["recoveries"] >= 1
    assert float(shown["curve"][0]["loss"]) > float(shown["loss"])


@pytest.mark.usefixtures("tale")
def test_a_job_that_can_not_be_trained_says_why_and_is_not_tried_again(lab: Lab) -> None:
    data = {"uri": "pvc://data/nowhere", "tokenizer": "pvc://data/tale", "seqLen": 32}
    apply(lab, job("lost", data=data))
    until("Failed", lambda: status(lab, "lost").get("state") == "Failed", 180)
    told = {entry["type"]: entry for entry in status(lab, "lost")["conditions"]}["Succeeded"]
    assert told["reason"] == "InvalidJob"
    assert "nowhere" in told["message"]


def test_a_job_takes_its_children_along(lab: Lab) -> None:
    lab.kubectl("-n", "ml", "delete", "tj", "--all", "--wait")
    until("no workers", lambda: not lab.kubectl("-n", "ml", "get", "jobsets", "-o", "name").strip(), 60)
    names = lab.kubectl("-n", "ml", "get", "configmaps", "-o", "name")
    assert "training-" not in names
