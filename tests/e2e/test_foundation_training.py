"""A training job on a real cluster: two workers, one of them killed, nobody watching; anybody's own program. Runs in
order.
"""

import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e import lab as labs
from tests.e2e.jobs import STEPS, apply, bring_tale, job, losses, program, status, succeeded
from tests.e2e.lab import Lab
from tests.waiting import until
from tools.environments import environment


@pytest.fixture(scope="module")
def tale(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A text and a tokenizer in the claim `data`."""
    bring_tale(tmp_path_factory.mktemp("tale"))


@pytest.mark.usefixtures("tale")
def test_a_killed_worker_costs_steps_and_the_job_ends_well_while_the_operator_is_away(lab: Lab) -> None:
    asked = time.monotonic()
    apply(lab, job("tale"))
    until("a step", lambda: status(lab, "tale").get("step", 0) >= 1, 180)
    print(f"\napply to first training step {time.monotonic() - asked:.0f} s", end=" ")
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
def test_nothing_of_the_kill_shows_in_the_loss(lab: Lab) -> None:
    apply(lab, job("calm"))
    until("Succeeded", lambda: status(lab, "calm").get("state") == "Succeeded", 180)
    assert status(lab, "calm")["recoveries"] == 0
    assert losses(lab, "tale") == pytest.approx(losses(lab, "calm"), abs=1e-6)


def test_the_finished_model_is_fetched_and_goes_on_from_a_prompt(tmp_path: Path) -> None:
    assert "fetched" in labs.fetch("data/.training/calm/model", tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} >= {"model.safetensors", "config.json"}
    python, model = str(environment("training") / "bin/python"), str(tmp_path / "model")
    command = [python, "-m", "workloads.training", "generate", model, "Once upon", "--tokens", "5"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.stdout.startswith("Once upon"), ran.stderr
    with pytest.raises(AssertionError, match="expected nothing there yet"):
        labs.fetch("data/.training/calm/model", tmp_path / "model")
    with pytest.raises(AssertionError, match="No such file or directory"):
        labs.fetch("data/.training/never/model", tmp_path / "never")


@pytest.mark.usefixtures("tale")
def test_a_job_that_can_not_be_trained_says_why_and_is_not_tried_again(lab: Lab) -> None:
    data = {"uri": "pvc://data/nowhere", "tokenizer": "pvc://data/tale", "seqLen": 32}
    apply(lab, job("lost", data=data))
    until("Failed", lambda: status(lab, "lost").get("state") == "Failed", 180)
    told = succeeded(lab, "lost")
    assert told["reason"] == "InvalidJob"
    assert "nowhere" in told["message"]


def test_a_program_of_ones_own_finds_its_peers_and_ends_well(lab: Lab) -> None:
    code = (
        "import os, pathlib, torch, torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "total = torch.tensor([dist.get_rank() + 1])\n"
        "dist.all_reduce(total)\n"
        "pathlib.Path(os.environ['CHECKPOINTS']).mkdir(parents=True, exist_ok=True)\n"
        "print('sum', int(total), 'of', dist.get_world_size(), flush=True)\n"
        "dist.destroy_process_group()\n"
    )
    apply(lab, program("own", code))
    until("Succeeded", lambda: status(lab, "own").get("state") == "Succeeded", 180)
    said = lab.kubectl("-n", "ml", "logs", "-l", "jobset.sigs.k8s.io/jobset-name=own")
    assert said.splitlines().count("sum 3 of 2") == 2


def test_a_program_that_no_other_try_can_help_fails_with_its_reason(lab: Lab) -> None:
    apply(lab, program("hopeless", "import sys; print('expected a GPU, found none'); sys.exit(64)"))
    until("Failed", lambda: status(lab, "hopeless").get("state") == "Failed", 180)
    told = succeeded(lab, "hopeless")
    assert told["reason"] == "WorkersFailed"
    assert "ended with exit code 64" in told["message"]
    assert "expected a GPU" in lab.kubectl("-n", "ml", "logs", "-l", "jobset.sigs.k8s.io/jobset-name=hopeless")


def test_a_worker_that_wants_more_memory_than_it_may_have_is_told_so(lab: Lab) -> None:
    hungry = {"count": 1, "cpu": "100m", "memory": "64Mi"}
    apply(lab, program("hungry", "b'x' * (512 << 20)", workers=hungry))
    until("the cause", lambda: status(lab, "hungry").get("lastFailure", {}).get("reason") == "OOMKilled", 120)
    assert "worker 0 was killed for memory (limit 64Mi)" in status(lab, "hungry")["lastFailure"]["message"]
    lab.kubectl("-n", "ml", "delete", "tj/hungry", "--wait")


def test_a_job_takes_its_children_along(lab: Lab) -> None:
    lab.kubectl("-n", "ml", "delete", "tj", "--all", "--wait")
    until("no workers", lambda: not lab.kubectl("-n", "ml", "get", "jobsets", "-o", "name").strip(), 60)
    until("no configuration", lambda: "training-" not in lab.kubectl("-n", "ml", "get", "cm", "-o", "name"), 60)
