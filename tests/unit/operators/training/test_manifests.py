"""The workers keep to the policy, find each other, and see what they need."""

from typing import Any

import pytest

from operators.training import manifests, plan
from tests.policy import violations
from tests.unit.operators.training.worlds import job
from workloads.training.config import Family, Schedule, Strategy

IMAGE = "local/training:1"


def pod(**spec: Any) -> dict[str, Any]:
    (replicated,) = manifests.job_set("ml", job(**spec), IMAGE, suspended=False)["spec"]["replicatedJobs"]
    found: dict[str, Any] = replicated["template"]["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize(
    "spec", [{}, {"model": None, "data": None, "objective": None, "program": {"image": "me/x:1", "command": ["x"]}}]
)
def test_the_pod_keeps_to_the_policy(spec: dict[str, Any]) -> None:
    found = violations({"kind": "Pod", "metadata": {"name": "w"}, "spec": pod(**spec)})
    assert [line for line in found if "liveness" not in line] == []  # a worker that hangs is found by its peers


def test_workers_find_the_first_by_its_name() -> None:
    variables = {entry["name"]: entry.get("value") for entry in pod()["containers"][0]["env"]}
    assert variables["MASTER_ADDR"] == "tale-w-0-0.tale"
    assert variables["WORLD_SIZE"] == "2"
    assert "--nnodes=2" in pod()["containers"][0]["command"]


def test_each_claim_is_mounted_once() -> None:
    mounts = [mount["mountPath"] for mount in pod()["containers"][0]["volumeMounts"]]
    assert [path for path in mounts if path.startswith("/claims")] == ["/claims/data", "/claims/models"]


def test_anybodys_program_is_started_as_it_is_declared() -> None:
    program = {"image": "me/mine:2", "command": ["python", "train.py"]}
    container = pod(model=None, data=None, objective=None, program=program)["containers"][0]
    assert (container["image"], container["command"]) == ("me/mine:2", ["python", "train.py"])
    variables = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert variables["CHECKPOINTS"] == "/claims/data/.training/tale"


def test_the_trainer_is_told_what_is_declared() -> None:
    told = plan.job_of(job(optimizer={"lr": "1e-3", "warmupSteps": 5, "schedule": "constant"}, seed=7))
    assert told is not None
    assert (told.model.family, told.model.size, told.data.path) == (Family.GPT2, "124M", "/claims/data/texts")
    assert (told.data.tokenizer, told.checkpoints.folder) == ("/claims/models/gpt2", "/claims/data/.training/tale")
    assert (told.optimizer.learning_rate, told.optimizer.schedule) == (0.001, Schedule.CONSTANT)
    assert (told.steps, told.global_batch_tokens, told.seed, told.strategy) == (100, 1024, 7, Strategy.AUTO)


def test_a_program_without_an_image_runs_in_ours() -> None:
    container = pod(model=None, data=None, objective=None, program={"command": ["python", "x.py"]})["containers"][0]
    assert container["image"] == pod()["containers"][0]["image"]


def test_an_own_program_gets_no_document() -> None:
    program = {"image": "x:1", "command": ["x"]}
    assert plan.job_of(job(model=None, data=None, objective=None, program=program)) is None


def test_workers_go_to_machines_of_their_own_where_there_are_so_many() -> None:
    (apart,) = pod()["topologySpreadConstraints"]
    assert (apart["topologyKey"], apart["whenUnsatisfiable"]) == ("homespun.dev/data", "ScheduleAnyway")
    assert apart["labelSelector"] == {"matchLabels": {"jobset.sigs.k8s.io/jobset-name": "tale"}}
