"""Only who has a token gets in, and no token is ever written where it can be read."""

from pathlib import Path

import pytest

from tests.integration.operators.objects import apply, get, inference_model
from tests.integration.operators.test_serving import ready
from tests.integration.parts.data_plane import DataPlane
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.integration.parts.process import Process
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("no_objects")

MINE, ANOTHERS = "hf_mine_0123456789", "hf_anothers_0123456789"


@pytest.fixture(autouse=True)
def _secrets(cluster: Cluster, namespace: str) -> None:
    for name, token in (("mine", MINE), ("anothers", ANOTHERS)):
        cluster.kubectl("-n", NAMESPACE, "delete", "secret", name, "--ignore-not-found")
        cluster.kubectl("-n", NAMESPACE, "create", "secret", "generic", name, f"--from-literal=token={token}")


def test_a_token_opens_its_model_and_no_other(cluster: Cluster, plane: DataPlane, running_operator: Process) -> None:
    apply(
        cluster,
        inference_model("one", access={"tokens": [{"secretRef": {"name": "mine"}}]}),
        inference_model("two", access={"tokens": [{"secretRef": {"name": "anothers"}}]}),
    )
    until("both Ready", lambda: ready(cluster, "one") and ready(cluster, "two"))

    assert plane.ask("org/one", "hello")[0] == 401
    assert plane.ask("org/one", "hello", Authorization="Bearer wrong")[0] == 401
    assert plane.ask("org/one", "hello", Authorization=f"Bearer {ANOTHERS}")[0] == 403
    assert plane.ask("org/one", "hello", Authorization=f"Bearer {MINE}")[0] == 200

    written = [part.log for part in (running_operator, *plane.parts)]
    for log in written:
        assert not leaked(log.read_text(errors="replace")), log
    assert not leaked(str(get(cluster, "inferencemodels,configmaps,deployments,events")))
    for part in (running_operator, *plane.parts):
        assert not leaked(Path(f"/proc/{part.pid}/cmdline").read_text())
    for kept in plane.serving.folder.rglob("*.json"):
        assert not leaked(kept.read_text(errors="replace")), kept


def test_a_changed_token_opens_and_the_old_one_does_not(
    cluster: Cluster, plane: DataPlane, running_operator: Process
) -> None:
    apply(cluster, inference_model("one", access={"tokens": [{"secretRef": {"name": "mine"}}]}))
    until("Ready", lambda: ready(cluster, "one"))
    cluster.kubectl("-n", NAMESPACE, "patch", "secret", "mine", "-p", '{"stringData": {"token": "hf_new_0123456789"}}')
    until("the new one", lambda: plane.ask("org/one", "hello", Authorization="Bearer hf_new_0123456789")[0] == 200)
    assert plane.ask("org/one", "hello", Authorization=f"Bearer {MINE}")[0] == 401


def leaked(text: str) -> bool:
    return MINE in text or ANOTHERS in text
