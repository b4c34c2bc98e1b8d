"""What `make up` brings is had at every machine, and a job is trained by two of them."""

import base64
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.page import QUESTION, Page, authority, opener
from homespun import places
from homespun.hosts import headscale, layout, share
from tests.e2e import jobs
from tests.e2e import lab as labs
from tests.e2e.lab import Lab
from tests.e2e.mesh.trio import ALL, NAME, Pods, asleep, listed_or_none, machine, mounted, nodes, reaches
from tests.e2e.web import pod_spec
from tests.waiting import until
from tools.environments import environment

DOMAIN = "trio.internal"  # stacks/Pulumi.trio.yaml


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


def page(name: str, at: str) -> Page:
    """Something behind the ingress, asked at one of the machines."""
    certificate = authority(NAME).read_text()
    return Page(f"https://{name}.{DOMAIN}:30443/", str(machine(at).address), certificate)


def ask(name: str, path: str, at: str, body: str | None = None) -> str:
    """What it answers."""
    asked = page(name, at)
    request = urllib.request.Request(f"{asked.url}{path}", data=body.encode() if body else None)
    request.add_header("Content-Type", "application/json")
    with opener(asked).open(request, timeout=30) as answer:
        return str(answer.read().decode())


def test_make_up_ends_with_an_answer(trio: Lab) -> None:
    took, answer, opened, *_ = trio.said.splitlines()
    print(f"\n{took}", end=" ")
    assert answer.startswith(f'"{QUESTION}" → Attention Is All You Need (2017)')
    assert opened.split()[1] == f"https://cloud.{DOMAIN}:30443/"
    names = " ".join(f"{name}.{DOMAIN}" for name in ("models", "vectors", "cloud", "web"))
    assert f"names  10.37.0.10 {names}\n" in trio.said


@pytest.mark.usefixtures("trio")
def test_a_model_answers_by_tls_at_each_machine_of_the_first_site() -> None:
    for at in ("m0", "m1"):
        vector = json.loads(ask("models", f"models/{labs.MODEL_ID}", at, json.dumps({"inputs": "hello"})))
        assert (at, len(vector)) == (at, 384)


@pytest.mark.usefixtures("web")
def test_a_service_of_ones_own_has_a_name_too() -> None:
    def answers() -> bool:
        try:
            return ask("web", "", "m0").split()[0] in ALL
        except urllib.error.HTTPError:  # the machines hear of a new Service one after the other
            return False

    until("an answer", answers, 30)


@pytest.mark.usefixtures("trio")
def test_behind_an_ingress_nothing_answers_without_tls() -> None:
    for port in (30080, 30081, 30082):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((str(machine("m0").address), port), 5)


@pytest.mark.usefixtures("trio")
def test_a_client_that_one_knows_is_answered_under_the_name_that_the_object_shows(trio: Lab, tmp_path: Path) -> None:
    url = labs.status(trio, "im", "minilm")["url"]
    assert url.startswith(f"https://models.{DOMAIN}:30443/")
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n10.37.0.10 models.{DOMAIN}\n")
    code = (
        f"from huggingface_hub import InferenceClient as C; print(C(model='{url}').feature_extraction('hello').shape)"
    )
    (tmp_path / "ask.py").write_text(code)
    python = environment("client-hf-12") / "bin/python"
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec {python} {tmp_path}/ask.py"],
        env={"PATH": os.environ["PATH"], "SSL_CERT_FILE": str(authority(NAME)), "HOME": str(tmp_path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert ran.stdout == "(384,)\n", ran.stderr


def test_the_claim_data_is_the_same_folder_on_both_machines_of_the_first_site(trio: Lab) -> None:
    trio.ssh(f"echo here > {layout.DATA}/said")
    assert machine("m1").connection.run(f"cat {layout.DATA}/said") == "here\n"
    trio.ssh(f"rm {layout.DATA}/said")


def test_the_trainers_image_is_where_that_claim_is_seen_and_nowhere_else(trio: Lab) -> None:
    has = {name: "homespun-training:" in machine(name).connection.run(f"{layout.CTR} images ls") for name in ALL}
    assert has == {"m0": True, "m1": True, "m2": False}


def test_other_claims_are_shown_to_no_machine_and_none_to_one_elsewhere(trio: Lab) -> None:
    assert {"models", "vectors", "data"} <= set(trio.ssh(f"ls {layout.VOLUMES}").split())
    assert machine("m1").connection.run(f"ls {layout.VOLUMES}").split() == ["data"]
    assert machine("m2").connection.run(f"ls -d {layout.VOLUMES} 2>/dev/null; true") == ""


def test_by_its_key_a_machine_gets_files_and_nothing_else(trio: Lab) -> None:
    ask = (
        f"ssh -F none -i {share.KEY} -o UserKnownHostsFile={share.SERVER_KEY} -o BatchMode=yes -p {share.PORT}"
        " {user}@10.37.0.10 {command} 2>&1; true"
    )
    said = machine("m1").connection.run(ask.format(user=share.USER, command="id"))
    assert "This service allows sftp connections only." in said
    assert "Permission denied" in machine("m1").connection.run(ask.format(user="root", command="id"))


@dataclass
class Sleep:
    """Of m2, with a pod on it that would rather be there, and is sent elsewhere a minute after it is missed."""

    wakes: ExitStack
    device: dict[str, Any]
    uid: str


def device(lab: Lab) -> dict[str, Any]:
    """What the control server knows m2 by."""
    listed = json.loads(lab.ssh(f"{headscale.CLI} nodes list --output json"))
    (found,) = (one for one in listed if one["name"] == "m2")
    return {name: found[name] for name in ("id", "ip_addresses", "node_key")}


def roamers(lab: Lab) -> list[dict[str, Any]]:
    return listed_or_none(lab, "pods", "-l", "app=roamer")


def runs(pod: dict[str, Any], node: str) -> bool:
    return (pod["spec"].get("nodeName"), pod["status"]["phase"]) == (node, "Running")


@pytest.fixture(scope="module")
def sleep(trio: Lab) -> Iterator[Sleep]:
    labels = {"app": "roamer"}
    there = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["m2"]}]}
    near = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": there}]}
    late = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": 60}  # fmt: skip
    spec = {**pod_spec("-m", "http.server", "8000"), "affinity": {"nodeAffinity": near}, "tolerations": [late]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    roamer = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "roamer"},
              "spec": {"selector": {"matchLabels": labels}, "template": template}}  # fmt: skip
    trio.kubectl("apply", "-f", "-", input=json.dumps(roamer))
    until("a pod on m2", lambda: any(runs(one, "m2") for one in roamers(trio)), 120)
    with ExitStack() as wakes:
        (pod,) = roamers(trio)
        found = Sleep(wakes, device(trio), pod["metadata"]["uid"])
        wakes.enter_context(asleep("m2"))
        yield found


@pytest.fixture(scope="module")
def pair(trio: Lab, tale: None, sleep: Sleep) -> list[float]:
    """The losses of a job that nothing happens to, on two machines, while the third one sleeps."""
    until("that m2 is missed", lambda: nodes(trio) == {"m0", "m1"}, 120)
    jobs.apply(trio, jobs.job("pair"))
    until("a step", lambda: jobs.status(trio, "pair").get("step", 0) >= 1, 240)
    assert workers(trio, "pair") == {"m0", "m1"}
    until("its end", lambda: jobs.status(trio, "pair").get("state") == "Succeeded", 480)
    assert jobs.status(trio, "pair")["recoveries"] == 0
    return jobs.losses(trio, "pair")


def test_two_machines_of_one_site_train_one_model_and_need_no_other_site(trio: Lab, pair: list[float]) -> None:
    assert pair[0] > pair[-1]
    assert nodes(trio) == {"m0", "m1"}


def test_a_machine_that_loses_the_claim_costs_steps_and_the_job_ends_well(trio: Lab, pair: list[float]) -> None:
    jobs.apply(trio, jobs.job("torn"))
    until("a checkpoint", lambda: jobs.status(trio, "torn").get("checkpoint", {}).get("step", 0) >= 5, 300)
    with no_mount("m1"):
        until("that it is missed", lambda: jobs.status(trio, "torn").get("lastFailure") is not None, 180)
    until("its end", lambda: jobs.status(trio, "torn").get("state") == "Succeeded", 480)
    assert jobs.losses(trio, "torn") == pytest.approx(pair, abs=1e-6)


def test_a_machine_that_slept_until_its_pods_went_elsewhere_is_back_as_the_same(
    trio: Lab, sleep: Sleep, web: Pods
) -> None:
    def uids(where: Collection[str]) -> set[str]:
        return {one["metadata"]["uid"] for one in roamers(trio) if any(runs(one, name) for name in where)}

    until("that it is missed", lambda: nodes(trio) == {"m0", "m1"}, 120)
    until("its pod, elsewhere", lambda: uids({"m0", "m1"}), 180)
    sleep.wakes.close()
    until("all nodes", lambda: nodes(trio) == ALL, 120)
    until("pods beyond it", lambda: reaches(trio, web, "m0", "m2") and reaches(trio, web, "m2", "m1"), 60)
    assert device(trio) == sleep.device
    until("one pod, not that one", lambda: len(roamers(trio)) == 1 and uids(ALL) - {sleep.uid}, 60)
    trio.kubectl("delete", "deployment", "roamer")


@pytest.mark.usefixtures("trio")
def test_the_key_of_what_vouches_for_the_names_is_in_no_plain_state() -> None:
    (record,) = (places.state() / "pulumi").glob(f".pulumi/stacks/*/{NAME}.json")
    kept = record.read_text()
    assert "BEGIN CERTIFICATE" in kept
    assert "PRIVATE KEY" not in kept
    assert base64.b64encode(b"-----BEGIN PRIVATE KEY").decode()[:24] not in kept


def test_an_owners_new_user_does_not_shut_others_out_of_the_claim(trio: Lab) -> None:
    trio.ssh("useradd --system newcomer")
    try:
        machine("m1").connection.run(f"systemctl restart {share.CLIENT_UNIT}")
        until("the mount", lambda: mounted("m1"), 30)
    finally:
        trio.ssh("userdel newcomer")
