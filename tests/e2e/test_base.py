"""`make up` brings a base stack up: a machine that is a node, whose pods find each other and the way out."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cli.project import Project
from homespun import places
from tests.e2e import lab as labs
from tests.e2e.lab import Lab
from tests.e2e.web import LABELS, SERVICE, ask, pod_spec
from tests.waiting import until
from tools.pulumi.install import install

SERVER = "198.51.100.2"  # RFC 5737
BOX = "198.51.100.1"


@pytest.fixture(scope="module")
def web(lab: Lab) -> Iterator[str]:
    """A pod that serves HTTP and has a Python to ask with, behind a Service: its name."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "labels": LABELS},
        "spec": pod_spec("-m", "http.server", "8000"),
    }
    lab.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")
    lab.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod, SERVICE]}))
    lab.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    yield "web"
    lab.kubectl("delete", "pod/web", "service/web")


@pytest.fixture
def outside() -> Iterator[str]:
    """A server beyond the box, in a network namespace of its own; answers with its caller's address."""
    code = (
        "import http.server as h\n"
        "class H(h.BaseHTTPRequestHandler):\n"
        "  def do_GET(s): s.send_response(200); s.end_headers(); s.wfile.write(s.client_address[0].encode())\n"
        "h.HTTPServer(('', 80), H).serve_forever()"
    )
    subprocess.run(["ip", "netns", "delete", "hs-outside"], capture_output=True)  # an earlier run's
    for line in (
        "netns add hs-outside",
        "link add hs-out type veth peer name hs-in netns hs-outside",
        f"address add {BOX}/30 dev hs-out",
        "link set hs-out up",
        f"-n hs-outside address add {SERVER}/30 dev hs-in",
        "-n hs-outside link set hs-in up",
    ):
        subprocess.run(["ip", *line.split()], check=True)
    subprocess.run(["sysctl", "-qw", "net.ipv4.conf.hs-out.forwarding=1"], check=True)  # as `up` does for an uplink
    command = ["ip", "netns", "exec", "hs-outside", "python3", "-c", code]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        yield SERVER
        server.kill()
    subprocess.run(["ip", "netns", "delete", "hs-outside"], check=True)


def test_an_up_that_was_killed_at_every_step_ends_whole(lab: Lab) -> None:
    assert "Attention Is All You Need" in lab.said
    assert lab.kubectl("get", "--raw", "/readyz") == "ok"
    lab.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")


def test_the_node_is_ready_with_our_own_runtime(lab: Lab) -> None:
    node = json.loads(lab.kubectl("get", "node", labs.NODE, "-o", "json"))["status"]
    assert node["nodeInfo"]["containerRuntimeVersion"] == "containerd://2.3.7"
    assert {"type": "Ready", "status": "True"}.items() <= next(
        {"type": entry["type"], "status": entry["status"]}.items()
        for entry in node["conditions"]
        if entry["type"] == "Ready"
    )


def test_a_pod_finds_a_service_by_its_name(lab: Lab, web: str) -> None:
    until("an answer", lambda: ask(lab, web, f"http://{web}.default.svc.cluster.local/"), 60)


def test_a_pod_reaches_a_server_outside_under_the_boxs_address(lab: Lab, web: str, outside: str) -> None:
    until("its answer", lambda: ask(lab, web, f"http://{outside}/"), 30)
    assert ask(lab, web, f"http://{outside}/").strip() == BOX


def test_the_api_server_logs_who_did_what_and_never_what_was_in_it(lab: Lab) -> None:
    lab.kubectl("create", "secret", "generic", "hidden", "--from-literal=key=do-not-log-me")
    lab.kubectl("delete", "secret", "hidden")
    log = lab.ssh("cat /var/log/homespun/audit.log")
    assert '"name":"hidden"' in log
    assert "do-not-log-me" not in log


def test_a_second_up_changes_nothing(lab: Lab) -> None:
    booted = lab.ssh("cat /proc/sys/kernel/random/boot_id; stat -c %Z /opt/homespun/etc/*")
    said = labs.up()
    assert "machine unchanged · host unchanged · cluster unchanged · platform unchanged · models" in said
    assert lab.ssh("cat /proc/sys/kernel/random/boot_id; stat -c %Z /opt/homespun/etc/*") == booted


def test_of_two_ups_at_once_one_is_told_of_the_other_and_does_nothing(lab: Lab) -> None:
    log = places.state() / f"log/{labs.BASE}.log"
    log.unlink()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(labs.up)
        until("its deployment", lambda: log.exists() and "Updating" in log.read_text())
        with pytest.raises(AssertionError, match="the stack is currently locked"):
            labs.pulumi("up", "--yes", "--skip-preview")
        with pytest.raises(AssertionError, match="expected nobody at work there, found another `make up`"):
            labs.up()
        assert "cluster unchanged" in first.result()


def test_settings_that_would_make_a_cluster_anew_are_known_beforehand(lab: Lab) -> None:
    project = Project(labs.BASE, install(labs.quiet))
    assert project.made_anew() == []
    copied = project.folder / f"Pulumi.{labs.BASE}.yaml"
    copied.write_text(copied.read_text().replace("10.40.0.0/16", "10.44.0.0/16"))
    assert project.made_anew() == ["Cluster e2e"]
    assert Project(labs.BASE, install(labs.quiet)).made_anew() == []


@pytest.mark.parametrize("stack", [labs.BASE, labs.NAME])
def test_a_refresh_right_after_up_finds_no_drift(lab: Lab, stack: str) -> None:
    changes = labs.pulumi("refresh", "--yes", "--skip-preview", stack=stack).split("Resources:\n")[1]
    assert [line.split()[1] for line in changes.split("\n\n")[0].splitlines()] == ["unchanged"]


def test_a_changed_file_is_named_by_a_refresh_and_restored_by_up(lab: Lab) -> None:
    lab.ssh("echo '# foreign' >> /opt/homespun/etc/egress.nft && systemctl stop homespun-egress")
    refreshed = labs.pulumi("refresh", "--yes", "--skip-preview", "--diff")
    drifted = {line.split()[2] for line in refreshed.splitlines() if "drifted" in line}
    assert drifted == {"/opt/homespun/etc/egress.nft", "homespun-egress.service"}
    labs.pulumi("up", "--yes", "--skip-preview")
    assert "foreign" not in lab.ssh("cat /opt/homespun/etc/egress.nft")
    assert lab.ssh("systemctl is-active homespun-egress").strip() == "active"


def test_the_kubeconfig_is_in_no_state_in_the_clear(lab: Lab) -> None:
    secret = lab.kubeconfig.read_text().split("client-key-data: ")[1].split()[0]
    files = [path for path in lab.kubeconfig.parents[1].joinpath("pulumi/.pulumi").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if secret in path.read_text(errors="replace")]
    assert lab.kubeconfig.stat().st_mode & 0o077 == 0
