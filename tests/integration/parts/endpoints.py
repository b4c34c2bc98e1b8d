"""Where the pods of a Service are, as the endpoints controller would say it of pods that a kubelet runs."""

from collections.abc import Mapping

import yaml

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE


def publish(cluster: Cluster, service: str, address: str, ports: Mapping[str, int]) -> None:
    """Name one address as that of the Service's pods, with its ports by name."""
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"test-{service}",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": name, "port": port} for name, port in ports.items()],
    }
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(slice_))
