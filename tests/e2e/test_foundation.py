"""From an empty box to an answer, and back: a real machine, a real cluster, a real model. Runs in the order written."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from homespun import places
from stacks.machines import nspawn
from tests.e2e import lab as labs
from tests.e2e.conftest import sysctls
from tests.e2e.lab import ADDRESS, Lab
from tests.waiting import until
from tools.obtain import obtain
from tools.table import named

EXAMPLE = Path(__file__).parents[2] / "examples/inference/minilm.yaml"
MODEL_ID = "sentence-transformers/all-MiniLM-L6-v2"
PAPERS = Path(__file__).parents[2] / "examples/papers.jsonl"


def ask(inputs: Any) -> tuple[int, Any]:
    """What the gateway answers on the machine's address; 0 where nothing answers.

    For a moment after a boot a node port still leads to the pod address of before, which may be another pod's by now.
    """
    request = urllib.request.Request(
        f"http://{ADDRESS}:30080/models/{MODEL_ID}",
        data=json.dumps({"inputs": inputs}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, None


def page(question: str = "") -> str:
    """The page's HTML; '' while nothing answers."""
    query = f"?q={urllib.parse.quote(question)}" if question else ""
    try:
        with urllib.request.urlopen(f"http://{ADDRESS}:30081/{query}", timeout=30) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return ""


def test_an_applied_example_becomes_ready_and_answers(lab: Lab) -> None:
    started = time.monotonic()
    lab.kubectl("apply", "-f", str(EXAMPLE))
    until("Ready", lambda: labs.conditions(lab, "minilm").get("Ready") == "True", 120)
    lab.times["model"] = round(time.monotonic() - started, 1)
    status, vector = ask("hello")
    assert (status, len(vector)) == (200, 384)
    print(f"\n{' · '.join(f'{name} {seconds}s' for name, seconds in lab.times.items())}", end=" ")
    print(f"· {labs.memory(lab) / 2**30:.2f} GiB of memory")


def test_the_page_shows_what_there_is_and_finds_a_paper_by_meaning(lab: Lab) -> None:
    shown = page()
    assert "minilm" in shown
    assert labs.NODE in shown
    assert "Attention Is All You Need" in page("how do transformers weigh words").split("</li>")[0]


def test_all_pods_run_restricted_and_none_restarts(lab: Lab) -> None:
    pods = json.loads(lab.kubectl("get", "pods", "-A", "-o", "json"))["items"]
    mine = [pod for pod in pods if pod["metadata"]["namespace"] in ("ml", "homespun-system")]
    assert len(mine) == 4
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
    assert "machine started" in labs.up()
    until("an answer", lambda: ask("hello")[0] == 200, 240)
    until("the API server", lambda: lab.kubectl("get", "--raw", "/readyz", check=False) == "ok", 120)
    until("Ready", lambda: labs.conditions(lab, "minilm").get("Ready") == "True", 240)


def test_down_leaves_nothing_of_the_lab_on_the_box(lab: Lab, box_before: dict[str, str]) -> None:
    assert "gone" in labs.down()
    assert nspawn.check_leftovers(lab.machine) == []
    assert not places.state().exists()
    assert sysctls() == box_before
