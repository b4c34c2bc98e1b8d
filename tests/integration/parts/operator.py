"""The real operator as a process, with the rights of its table and no more."""

import os
import sys
from pathlib import Path
from typing import Final

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.integration.parts.process import Process

GATEWAY: Final = "http://127.0.0.1:18180"
VECTORS_GATEWAY: Final = "http://127.0.0.1:18182"
HEALTH_PORT: Final = 18090
TRITON_IMAGE: Final = "localhost/homespun-triton:1"
SERVING_IMAGE: Final = "localhost/homespun-serving:1"


def start(cluster: Cluster, folder: Path, health_port: int = HEALTH_PORT) -> Process:
    kubeconfig = cluster.identity("operator")
    command = [
        sys.executable, "-m", "operators.main",
        f"--namespace={NAMESPACE}",
        f"--inference-gateway={GATEWAY}",
        f"--vectors-gateway={VECTORS_GATEWAY}",
        f"--triton-image={TRITON_IMAGE}",
        f"--serving-image={SERVING_IMAGE}",
        "--milvus-image=localhost/homespun-milvus:1",
        "--vectors-image=localhost/homespun-vectors:1",
        "--ingest-image=localhost/homespun-ingest:1",
        "--training-image=localhost/homespun-training:1",
        f"--health-port={health_port}",
    ]  # fmt: skip
    return Process(command, folder / "operator.log", {**os.environ, "KUBECONFIG": str(kubeconfig)})
