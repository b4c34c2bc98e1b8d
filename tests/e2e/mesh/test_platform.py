"""What `make up` brings is had at every machine, and a job is trained by two of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cli.up import QUESTION
from homespun.hosts import layout, share
from tests.e2e import jobs
from tests.e2e import lab as labs
from tests.e2e.lab import Lab
from tests.e2e.mesh.trio import ALL, NAME, machine
from tests.waiting import until


@pytest.fixture(scope="module")
def tale(trio: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    jobs.bring_tale(tmp_path_factory.mktemp("tale"), NAME)


def workers(lab: Lab, name: str) -> set[str]:
    """The nodes that a job's workers are on."""
    nodes = "jsonpath={.items[*].spec.nodeName}"
    return set(
        lab.kubectl("-n", "ml", "get", "pods", "-l", f"jobset.sigs.k8s.io/jobset-name={name}", "-o", nodes).split()
    )


@contextmanager
def no_mount(name: str) -> Iterator[None]:
    """A machine does not see the claim `data` meanwhile."""
    machine(name).connection.run(
        f"systemctl kill --signal=KILL {share.CLIENT_UNIT}; systemctl stop {share.CLIENT_UNIT}"
    )
    try:
        yield
    finally:
        machine(name).connection.run(f"systemctl start {share.CLIENT_UNIT}")


def test_make_up_ends_with_an_answer(trio: Lab) -> None:
    took, answer, *_ = trio.said.splitlines()
    print(f"\n{took}", end=" ")
    assert answer.startswith(f'"{QUESTION}" → Attention Is All You Need (2017)')


@pytest.mark.usefixtures("trio")
def test_a_model_answers_at_every_machine() -> None:
    for name in sorted(ALL):
        status, vector = labs.ask("hello", address=machine(name).address)
        assert (name, status, len(vector or [])) == (name, 200, 384)


def test_the_claim_data_is_the_same_folder_on_all_machines(trio: Lab) -> None:
    trio.ssh(f"echo here > {layout.DATA}/said")
    for name in sorted(ALL):
        assert machine(name).connection.run(f"cat {layout.DATA}/said") == "here\n"
    trio.ssh(f"rm {layout.DATA}/said")


def test_other_claims_are_shown_to_no_machine(trio: Lab) -> None:
    assert {"models", "vectors", "data"} <= set(trio.ssh(f"ls {layout.VOLUMES}").split())
    for name in sorted(ALL - {"m0"}):
        assert machine(name).connection.run(f"ls {layout.VOLUMES}").split() == ["data"]


def test_by_its_key_a_machine_gets_files_and_nothing_else(trio: Lab) -> None:
    ask = (
        f"ssh -F none -i {share.KEY} -o UserKnownHostsFile={share.SERVER_KEY} -o BatchMode=yes -p {share.PORT}"
        " {user}@10.37.0.10 {command} 2>&1; true"
    )
    said = machine("m1").connection.run(ask.format(user=share.USER, command="id"))
    assert "uid=" not in said
    assert "Permission denied" in machine("m1").connection.run(ask.format(user="root", command="id"))


@pytest.mark.usefixtures("tale")
def test_two_machines_of_one_site_train_one_model(trio: Lab) -> None:
    jobs.apply(trio, jobs.job("pair"))
    until("a step", lambda: jobs.status(trio, "pair").get("step", 0) >= 1, 240)
    assert workers(trio, "pair") == {"m0", "m1"}
    until("its end", lambda: jobs.status(trio, "pair").get("state") == "Succeeded", 240)
    found = jobs.losses(trio, "pair")
    assert found[0] > found[-1]
    assert jobs.status(trio, "pair")["recoveries"] == 0


@pytest.mark.usefixtures("tale")
def test_a_machine_that_loses_the_claim_costs_steps_and_the_job_ends_well(trio: Lab) -> None:
    jobs.apply(trio, jobs.job("torn"))
    until("a checkpoint", lambda: jobs.status(trio, "torn").get("checkpoint", {}).get("step", 0) >= 5, 240)
    with no_mount("m1"):
        until("that it is missed", lambda: jobs.status(trio, "torn").get("lastFailure") is not None, 120)
    until("its end", lambda: jobs.status(trio, "torn").get("state") == "Succeeded", 300)
    assert jobs.losses(trio, "torn") == pytest.approx(jobs.losses(trio, "pair"), abs=1e-6)
