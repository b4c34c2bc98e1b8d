"""Where things of ours are on a machine: all in a prefix of our own, but for kubeadm's folders.

/opt/homespun/bin, cni, etc          binaries, CNI plugins, configuration
/var/lib/homespun-node               images and containers, the mesh's identity
/run/homespun                        sockets
/var/lib/homespun-volumes            users' data, kept when Homespun goes
"""

from typing import Final

PREFIX: Final = "/opt/homespun"
ROOT: Final = "/var/lib/homespun-node"
RUN: Final = "/run/homespun"
SOCKET: Final = f"{RUN}/containerd.sock"
CTR: Final = f"{PREFIX}/bin/ctr --address {SOCKET} --namespace k8s.io"
"""containerd's own client, on the images and containers that the kubelet sees."""
PENDING: Final = f"{PREFIX}/etc/pending"
"""Lists files that were put in place and whose units have not been restarted yet."""
BRIDGE: Final = "homespun0"
EGRESS_TABLE: Final = "homespun-egress"
AUDIT_POLICY: Final = f"{PREFIX}/etc/audit.yaml"
AUDIT_LOG_FOLDER: Final = "/var/log/homespun"
SCRATCH: Final = "/tmp/homespun-ansible"
"""What Ansible needs for a moment; else it would leave a folder in its user's home."""
POD_LOGS: Final = f"{AUDIT_LOG_FOLDER}/pods"
PATCHES: Final = f"{PREFIX}/etc/kubeadm-patches"
VOLUMES: Final = "/var/lib/homespun-volumes"
"""Users' data. It outlives Homespun on a machine: nothing of ours ever removes it."""
MODELS: Final = f"{VOLUMES}/models"
"""The folder behind the claim that models are copied into. Its mode is the kubelet's to set (fsGroup)."""
VECTORS: Final = f"{VOLUMES}/vectors"
"""The folder behind the claim that holds Milvus's data."""
DATA: Final = f"{VOLUMES}/data"
"""The folder behind the claim for texts, records and checkpoints: on the first machine; others mount it from there."""
POD_USER: Final = 10001
"""The user and the group of all our pods, who own what is in the claims."""
