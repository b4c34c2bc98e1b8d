"""From an empty box to an answer: a real machine, a real cluster, a real model. Runs in the order written."""

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from cli.page import QUESTION
from stacks.machines import nspawn
from tests.e2e import lab as labs
from tests.e2e.lab import ADDRESS, MODEL_ID, Lab, ask
from tests.waiting import until
from tools import minilm
from tools.environments import environment
from tools.obtain import obtain
from tools.table import named
from workloads.inference import manifest

EXAMPLE = Path(__file__).parents[2] / "examples/inference/minilm.yaml"
PROGRAMS = {
    "homespun-operator", "inference-gateway", "vectors-gateway", "jobset-controller", "page",
    "inference-server", "vector-server", "ingest",
}  # fmt: skip


def page(question: str = "") -> str:
    """The page's HTML; '' while nothing answers."""
    query = f"?q={urllib.parse.quote(question)}" if question else ""
    try:
        with urllib.request.urlopen(f"http://{ADDRESS}:30081/{query}", timeout=30) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return ""


def test_make_up_ends_with_an_answer(lab: Lab) -> None:
    took, answer, opened, following, uses = lab.said.splitlines()
    print(f"\n{took}\n{answer}\n{uses}", end=" ")
    done = r"(\d+s|unchanged)"  # some of it by the ups that were killed
    assert re.match(
        rf"tools (\d+)/\1 · machine {done} · host {done} · cluster {done} · platform (\d+ objects \d+s|unchanged)"
        rf" · (model minilm \d+s|models 1 of 1 Ready) · collection papers \d+s$",
        took,
    )
    assert answer.startswith(f'"{QUESTION}" → Attention Is All You Need (2017)')
    assert opened.split()[1] == f"http://{ADDRESS}:30081/"
    assert "make down" in following
    status, vector = ask("hello")
    assert (status, len(vector)) == (200, 384)


def test_the_shell_finds_the_stacks_and_the_objects(lab: Lab) -> None:
    said = labs.shell(
        f"pulumi up -s {labs.NAME} --yes --skip-preview; kubectl get homespun -A; kubectl apply -f {EXAMPLE}"
    )
    changes, objects = said.split("Resources:\n")[1].split("Duration")
    assert [line.split()[1] for line in changes.splitlines() if line] == ["unchanged"]
    assert "minilm" in objects
    assert "inferencemodel.homespun.dev/minilm unchanged" in objects


@pytest.mark.parametrize("client", ["client-hf-036", "client-hf-12", "client-hf-24"])
def test_a_client_that_one_knows_is_answered(lab: Lab, client: str) -> None:
    code = (
        "from huggingface_hub import InferenceClient as C;"
        f"print(C(model='http://{ADDRESS}:30080/models/{MODEL_ID}').feature_extraction('hello').shape)"
    )
    ran = subprocess.run([environment(client) / "bin/python", "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "(384,)\n", ran.stderr


def test_a_folder_of_ones_own_is_served_beside_the_first(lab: Lab, tmp_path: Path) -> None:
    folder = minilm.write(tmp_path / "mine")
    assert f"revision: {manifest.folder_digest(folder)}" in labs.model(folder, "my-encoder")
    source = {"uri": "pvc://models/my-encoder", "revision": manifest.folder_digest(folder)}
    spec = {"modelId": "me/encoder", "task": "sentence-similarity", "source": source}
    document = {
        "apiVersion": "homespun.dev/v1alpha1",
        "kind": "InferenceModel",
        "metadata": {"name": "mine"},
        "spec": spec,
    }
    lab.kubectl("-n", "ml", "apply", "-f", "-", input=json.dumps(document))
    until("Ready", lambda: labs.conditions(lab, "mine").get("Ready") == "True", 120)
    status, scores = ask({"source_sentence": "a cat", "sentences": ["a kitten", "a tax form"]}, "me/encoder")
    assert status == 200
    assert scores[0] > scores[1]
    assert ask("hello")[0] == 200
    lab.kubectl("-n", "ml", "delete", "im", "mine")


def test_a_new_revision_takes_over_without_a_failed_request(lab: Lab) -> None:
    said = labs.shell("python examples/switch.py")
    assert "pvc://models/minilm → pvc://models/minilm-2" in said
    assert re.search(r"^\d+ answered · slowest", said, re.MULTILINE), said


def test_a_broken_revision_leaves_the_good_one_answering(lab: Lab) -> None:
    patch = {"spec": {"source": {"uri": "pvc://models/nothing"}}}
    lab.kubectl("-n", "ml", "patch", "im", "minilm", "--type=merge", f"--patch={json.dumps(patch)}")
    until("the reason", lambda: labs.reason(lab, "minilm", "UpToDate") == "SourceNotFound", 60)
    assert labs.conditions(lab, "minilm")["Ready"] == "True"
    assert ask("hello")[0] == 200
    lab.kubectl("-n", "ml", "apply", "-f", str(EXAMPLE))
    until("Ready", lambda: labs.conditions(lab, "minilm").get("UpToDate") == "True", 120)


def test_a_child_that_was_edited_is_restored(lab: Lab) -> None:
    lab.kubectl("-n", "ml", "scale", "deployment/inference-server", "--replicas=0")
    lab.kubectl("-n", "ml", "wait", "--for=jsonpath={.spec.replicas}=1", "deployment/inference-server", "--timeout=60s")
    lab.kubectl("-n", "ml", "rollout", "status", "deployment/inference-server", "--timeout=120s")
    selector = "app.kubernetes.io/name=inference-server"
    until("one pod", lambda: len(lab.kubectl("-n", "ml", "get", "pods", "-l", selector, "-o", "name").split()) == 1, 60)
    until("Ready", lambda: labs.conditions(lab, "minilm").get("Ready") == "True", 120)
    until("an answer", lambda: ask("hello")[0] == 200, 60)


def test_the_page_shows_what_there_is_and_finds_a_paper_by_meaning(lab: Lab) -> None:
    shown = page()
    assert "minilm" in shown
    assert labs.NODE in shown
    assert "Attention Is All You Need" in page(QUESTION).split("</li>")[0]


def test_all_pods_run_restricted_and_none_restarts(lab: Lab) -> None:
    pods = json.loads(lab.kubectl("get", "pods", "-A", "-o", "json"))["items"]
    mine = [pod for pod in pods if pod["metadata"]["namespace"] in ("ml", "homespun-system")]
    assert {pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in mine} == PROGRAMS
    assert all(pod["spec"]["securityContext"]["runAsNonRoot"] for pod in mine)
    assert not [s for pod in mine for s in pod["status"]["containerStatuses"] if s["restartCount"]]


def test_a_pod_with_a_host_path_is_refused(lab: Lab) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "greedy", "namespace": "ml"},
        "spec": {
            "containers": [{"name": "c", "image": "localhost/homespun-serving:1"}],
            "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
        },
    }
    command = ["-n", "ml", "apply", "-f", "-"]
    refused = subprocess.run(
        [str(obtain(named("kubectl"), labs.quiet)), f"--kubeconfig={lab.kubeconfig}", *command],
        input=json.dumps(pod), capture_output=True, text=True,
    )  # fmt: skip
    assert "hostPath" in refused.stderr


def test_models_answer_without_operator_and_api_server_and_through_a_restart_of_the_engine(lab: Lab) -> None:
    lab.kubectl("-n", "homespun-system", "scale", "deployment/homespun-operator", "--replicas=0")
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    lab.ssh(f"mv {manifest} /etc/kubernetes/")
    try:
        until("the API server's end", lambda: not lab.kubectl("get", "--raw", "/readyz", check=False), 120)
        assert ask("hello")[0] == 200
        lab.ssh("pkill -KILL -x tritonserver")
        until("a failed request", lambda: ask("hello")[0] != 200, 30)
        until("an answer of the new engine", lambda: ask("hello")[0] == 200, 120)
    finally:
        lab.ssh(f"mv /etc/kubernetes/kube-apiserver.yaml {manifest}")
    until("the API server again", lambda: lab.kubectl("get", "--raw", "/readyz", check=False) == "ok", 120)
    lab.kubectl("-n", "homespun-system", "scale", "deployment/homespun-operator", "--replicas=1")


def test_a_killed_machine_is_whole_again_after_a_start(lab: Lab) -> None:
    first = nspawn.leader(lab.machine)
    assert first is not None
    subprocess.run(["kill", "-KILL", str(first)], check=True)
    until("its end", lambda: nspawn.leader(lab.machine) is None, 120)
    said = labs.up()
    assert f"{labs.NODE} started · host unchanged · cluster unchanged · platform unchanged · models" in said
    until("an answer", lambda: ask("hello")[0] == 200, 240)
    until("the API server", lambda: lab.kubectl("get", "--raw", "/readyz", check=False) == "ok", 120)
    until("Ready", lambda: labs.conditions(lab, "minilm").get("Ready") == "True", 240)
