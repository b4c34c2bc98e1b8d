"""The parts that integration tests share, and the network namespace that they all live in."""

import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from tests.integration.parts import data_plane, kubernetes
from tests.integration.parts import namespace as ml

HOST_ADDRESS: Final = "192.0.2.10"
"""An address of ours that is not loopback (RFC 5737): Kubernetes takes no loopback address as an endpoint."""


@pytest.fixture(scope="session", autouse=True)
def _network() -> None:
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    if links.count("\n") != 1:
        pytest.exit(f"integration tests run in a network namespace of their own: `make integration`; found:\n{links}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "replace", f"{HOST_ADDRESS}/32", "dev", "lo"], check=True)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kubernetes.Cluster]:
    """etcd, kube-apiserver and kube-controller-manager: one control plane for the whole run."""
    running = kubernetes.start(tmp_path_factory.mktemp("cluster"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def namespace(cluster: kubernetes.Cluster) -> str:
    """The namespace of users' objects, with CRDs and roles."""
    ml.prepare(cluster)
    return ml.NAMESPACE


@pytest.fixture(scope="session")
def plane(
    cluster: kubernetes.Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[data_plane.DataPlane]:
    """Triton, its agent and a gateway, with MiniLM's real weights in the claim `models`."""
    running = data_plane.start(cluster, tmp_path_factory.mktemp("plane"), HOST_ADDRESS)
    yield running
    running.serving.stop()
