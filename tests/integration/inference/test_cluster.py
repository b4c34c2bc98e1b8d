"""Gateway and agent follow a real API server, with the rights of their roles, and live without it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import HOST_ADDRESS
from tests.integration.inference.conftest import minilm_model
from tests.integration.parts.hub import COMMIT, Hub, Repository, read
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.load import under_load
from tests.integration.parts.serving import PROBE_TOKEN, Server, Serving, revision
from tools.minilm import MODEL_ID
from workloads.edge.document import token_hash
from workloads.inference.config import (
    CONFIG_KEY,
    CONFIG_MAP,
    SERVERS_SERVICE,
    SOURCES_SECRET,
    Config,
    Model,
    State,
    render,
)

PORT = 19201


@pytest.fixture(scope="module")
def hub(claims: Path) -> Iterator[Hub]:
    hub = Hub(19500)
    hub.repositories = {"org/private": Repository(read(claims / "models/minilm"), token="hf_secret")}
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def in_cluster(
    tmp_path_factory: pytest.TempPathFactory, claims: Path, cluster: Cluster, namespace: str, hub: Hub
) -> Iterator[Serving]:
    """The programs as users of the API server; nothing is told to them in any other way."""
    folder = tmp_path_factory.mktemp("in-cluster")
    arguments = (f"--namespace={namespace}",)
    agent = {"KUBECONFIG": str(cluster.identity("inference-server")), "HF_ENDPOINT": hub.url}
    gateway = {"KUBECONFIG": str(cluster.identity("gateway"))}
    server = Server(folder / "server", claims, PORT, HOST_ADDRESS, arguments, agent)
    running = Serving(folder, [server], PORT + 9, arguments, gateway)
    server.start()
    running.start_gateway()
    _publish(cluster, namespace, server)
    yield running
    running.stop()
    cluster.kubectl("-n", namespace, "delete", "endpointslice,configmap,secret", "-l", "test=serving")


def _apply(cluster: Cluster, namespace: str, name: str, kind: dict[str, str], **content: Any) -> None:
    metadata = {"name": name, "namespace": namespace, "labels": {"test": "serving"}}
    metadata["labels"] |= content.pop("labels", {})
    document = json.dumps({**kind, "metadata": metadata, **content})
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=document)


def _declare(cluster: Cluster, namespace: str, *models: Model) -> None:
    data = {CONFIG_KEY: render(Config(models, token_hash(PROBE_TOKEN)))}
    _apply(cluster, namespace, CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap"}, data=data)


def _publish(cluster: Cluster, namespace: str, *servers: Server) -> None:
    _apply(
        cluster, namespace, f"{SERVERS_SERVICE}-1", {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"},
        labels={"kubernetes.io/service-name": SERVERS_SERVICE},
        addressType="IPv4",
        ports=[{"name": "grpc", "port": PORT}, {"name": "agent", "port": PORT + 2}],
        endpoints=[{"addresses": [server.host], "conditions": {"ready": True}} for server in servers],
    )  # fmt: skip


def test_what_is_declared_is_served_and_what_is_not_is_gone(
    in_cluster: Serving, cluster: Cluster, namespace: str
) -> None:
    _declare(cluster, namespace, minilm_model())
    in_cluster.until_answers(MODEL_ID)
    _declare(cluster, namespace)
    in_cluster.until("it to be gone", lambda: in_cluster.ask(MODEL_ID, {"inputs": "a"}).status_code == 404)


def test_servers_are_found_by_their_endpoints(in_cluster: Serving, cluster: Cluster, namespace: str) -> None:
    _declare(cluster, namespace, minilm_model())
    in_cluster.until_answers(MODEL_ID)
    _publish(cluster, namespace)
    in_cluster.until("no server", lambda: in_cluster.ask(MODEL_ID, {"inputs": "a"}).status_code == 503)
    _publish(cluster, namespace, in_cluster.server)
    in_cluster.until_answers(MODEL_ID)
    assert [placement.server for placement in in_cluster.state()] == [f"{HOST_ADDRESS}:{PORT + 2}"]


def test_a_private_source_is_fetched_with_its_token(
    in_cluster: Serving, cluster: Cluster, namespace: str, hub: Hub
) -> None:
    private = minilm_model(also=(), name="private", model_id="org/private", active="hub")
    private = minilm_model(
        name="private", model_id="org/private", active="hub", revisions=(revision("hub", "hf://org/private", COMMIT),)
    )
    _declare(cluster, namespace, private)
    held = in_cluster.server.until_state("hub", State.FAILED)
    assert held.reason == "AccessDenied"
    secret = {"apiVersion": "v1", "kind": "Secret"}
    _apply(cluster, namespace, SOURCES_SECRET, secret, stringData={"private": "hf_secret"})
    in_cluster.server.until_state("hub", State.LOADED, deadline=60)
    for log in (in_cluster.gateway.log, in_cluster.server.agent.log, in_cluster.server.triton.log):
        assert "hf_secret" not in log.read_text()


def test_without_the_api_server_all_goes_on_through_restarts(
    in_cluster: Serving, cluster: Cluster, namespace: str
) -> None:
    _declare(cluster, namespace, minilm_model())
    in_cluster.until_answers(MODEL_ID)
    with under_load(f"{in_cluster.url}/models/{MODEL_ID}", {"inputs": "hello"}, clients=1) as load:
        cluster.stop_api_server()
        try:
            count = len(load.statuses)
            in_cluster.until("more answers", lambda: len(load.statuses) > count + 20)
            assert load.failed == []
            in_cluster.server.kill_triton()
            in_cluster.server.agent.kill()
            in_cluster.gateway.kill()
            in_cluster.server.start()
            in_cluster.start_gateway()
            in_cluster.until_answers(MODEL_ID)
        finally:
            cluster.start_api_server()
    _declare(cluster, namespace, minilm_model(), minilm_model("again", name="other", model_id="other"))
    in_cluster.until_answers("other", deadline=60)  # the watches are back
