"""kubeadm's configuration, typed, v1beta4: what of it we decide. What follows from a machine is the machine's patch.

Source of the format: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from homespun.hosts import layout
from homespun.hosts.cluster import API_PORT, Cluster
from stacks.cluster.images import REPOSITORY

API_VERSION: Final = "kubeadm.k8s.io/v1beta4"


@dataclass(frozen=True)
class NodeRegistration:
    """How a machine becomes a node."""

    name: str
    address: str
    cgroup_version: int
    taints: tuple[str, ...] = ()
    """None: a control plane that is one's only machine runs pods too."""
    labels: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As kubeadm reads it."""
        # Its other half, `failCgroupV1: false`, is in the machine's patch.
        words = ",".join(f"{name}={value}" for name, value in self.labels.items())
        labels = {"node-labels": words} if words else {}
        ignored = ["SystemVerification"] if self.cgroup_version == 1 else []
        return {
            "name": self.name,
            "criSocket": f"unix://{layout.SOCKET}",
            "imagePullPolicy": "IfNotPresent",
            "ignorePreflightErrors": ignored,
            "taints": [{"key": key, "effect": "NoSchedule"} for key in self.taints],
            "kubeletExtraArgs": _arguments({"node-ip": self.address, **labels}),
        }


@dataclass(frozen=True)
class InitConfiguration:
    """The first machine of a cluster."""

    node: NodeRegistration

    def document(self) -> dict[str, Any]:
        """As kubeadm reads it."""
        return {
            "apiVersion": API_VERSION,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": self.node.address, "bindPort": API_PORT},
            "nodeRegistration": self.node.document(),
            "patches": {"directory": layout.PATCHES},
        }


@dataclass(frozen=True)
class JoinConfiguration:
    """A further machine of a cluster."""

    cluster: Cluster
    node: NodeRegistration
    token: str
    """A bootstrap token, for minutes."""
    authority: str
    """The cluster's own: `sha256:` and the hex digest of its public key."""

    def document(self) -> dict[str, Any]:
        """As kubeadm reads it."""
        found = {
            "token": self.token,
            "apiServerEndpoint": f"{self.cluster.endpoint}:{API_PORT}",
            "caCertHashes": [self.authority],
        }
        return {
            "apiVersion": API_VERSION,
            "kind": "JoinConfiguration",
            "discovery": {"bootstrapToken": found},
            "nodeRegistration": self.node.document(),
            "patches": {"directory": layout.PATCHES},
        }


@dataclass(frozen=True)
class ClusterConfiguration:
    """What kubeadm keeps in the cluster, for machines that join later."""

    cluster: Cluster
    audit: dict[str, str] = field(
        default_factory=lambda: {
            "audit-policy-file": layout.AUDIT_POLICY,
            "audit-log-path": f"{layout.AUDIT_LOG_FOLDER}/audit.log",
            "audit-log-maxage": "30",
            "audit-log-maxbackup": "5",
            "audit-log-maxsize": "50",
        }
    )

    def document(self) -> dict[str, Any]:
        """As kubeadm reads it."""
        volumes: list[dict[str, Any]] = [
            {"name": "audit-policy", "hostPath": layout.AUDIT_POLICY, "pathType": "File", "readOnly": True},
            {"name": "audit-log", "hostPath": layout.AUDIT_LOG_FOLDER, "pathType": "DirectoryOrCreate"},
        ]
        return {
            "apiVersion": API_VERSION,
            "kind": "ClusterConfiguration",
            "clusterName": self.cluster.name,
            "kubernetesVersion": f"v{self.cluster.kubernetes_version}",
            "controlPlaneEndpoint": f"{self.cluster.endpoint}:{API_PORT}",
            "imageRepository": REPOSITORY,
            "networking": {
                "podSubnet": str(self.cluster.pod_range),
                "serviceSubnet": str(self.cluster.service_range),
                "dnsDomain": self.cluster.dns_domain,
            },
            "apiServer": {
                "extraArgs": _arguments(self.audit),
                "extraVolumes": [{**volume, "mountPath": volume["hostPath"]} for volume in volumes],
            },
            # Each machine's part of the pods' range stands in its CNI configuration: handed out by us.
            "controllerManager": {"extraArgs": _arguments({"allocate-node-cidrs": "false"})},
        }


@dataclass(frozen=True)
class KubeletConfiguration:
    """What all kubelets have in common."""

    cluster: Cluster

    def document(self) -> dict[str, Any]:
        """As kubeadm reads it."""
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "clusterDomain": self.cluster.dns_domain,
            "clusterDNS": [self.cluster.dns_address],
            "failSwapOn": False,  # a machine that has been used for years has swap; pods don't use it (NoSwap)
            "serverTLSBootstrap": False,
            # So late a pod sees a Secret that is filled once it runs: JobSet's controller waits for its certificate.
            "syncFrequency": "10s",
            # In folders of ours, which go with us.
            "podLogsDir": layout.POD_LOGS,
            "volumePluginDir": f"{layout.PREFIX}/volume-plugins",
            # Images came by our hand and could not be pulled again.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "memory.available": "200Mi",
                "nodefs.available": "2%",
                "nodefs.inodesFree": "2%",
                "imagefs.available": "2%",
            },
        }


@dataclass(frozen=True)
class KubeProxyConfiguration:
    """Services by nftables; the machine's own conntrack limits are left alone."""

    cluster: Cluster

    def document(self) -> dict[str, Any]:
        """As kubeadm reads it."""
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clusterCIDR": str(self.cluster.pod_range),
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }


def configuration(cluster: Cluster, node: NodeRegistration) -> str:
    """The file for `kubeadm init --config`: JSON documents, which is YAML too."""
    parts = (InitConfiguration(node), ClusterConfiguration(cluster), KubeletConfiguration(cluster),
             KubeProxyConfiguration(cluster))  # fmt: skip
    return "---\n".join(json.dumps(part.document(), indent=2) + "\n" for part in parts)


def _arguments(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]
