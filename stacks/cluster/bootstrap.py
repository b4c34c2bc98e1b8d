"""Make a cluster of machines that have its binaries, look at it, take it away: by kubeadm, over SSH."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from homespun.hosts import facts, layout
from homespun.hosts.cluster import API_PORT, Cluster
from homespun.hosts.errors import CommandError, UnreachableError
from homespun.hosts.ssh import Connection
from stacks.cluster import kubeadm
from stacks.cluster.errors import ClusterError
from stacks.cluster.kubeadm import NodeRegistration

ADMIN: Final = "/etc/kubernetes/admin.conf"
CONFIGURATION: Final = f"{layout.PREFIX}/etc/kubeadm.json"
KUBEADM: Final = f"PATH={layout.PREFIX}/bin:/usr/sbin:/usr/bin:/sbin:/bin kubeadm"
INIT_SECONDS: Final = 300
JOIN_SECONDS: Final = 180
TOKEN_LIFE: Final = "10m"
DRAIN_SECONDS: Final = 60
GONE_SECONDS: Final = 30
AUTHORITY: Final = "openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der"
READY_SECONDS: Final = 120


def init(connection: Connection, cluster: Cluster, node: NodeRegistration) -> str:
    """The admin's kubeconfig of a new cluster. A failure leaves the machine as before; raises ClusterError.

    Refuses where there is a Kubernetes that is not ours, before anything is touched.
    """
    if not exists(connection):
        _clear(connection)
        connection.write(CONFIGURATION, kubeadm.configuration(cluster, node))
        _kubeadm(connection, f"init --config {CONFIGURATION} --skip-token-print", INIT_SECONDS)
    return kubeconfig(connection)


def join(connection: Connection, control_plane: Connection, cluster: Cluster, node: NodeRegistration) -> None:
    """Make a machine a node of the cluster. A failure leaves the machine as before; raises ClusterError."""
    if exists(connection):
        return
    _clear(connection)
    token = control_plane.run(f"{KUBEADM} token create --ttl {TOKEN_LIFE} --kubeconfig {ADMIN}").strip()
    try:
        authority = f"sha256:{control_plane.run(f'{AUTHORITY} | sha256sum').split()[0]}"
        document = kubeadm.JoinConfiguration(cluster, node, token, authority).document()
        connection.write(CONFIGURATION, json.dumps(document))
        _kubeadm(connection, f"join --config {CONFIGURATION}", JOIN_SECONDS)
        connection.write(CONFIGURATION, "")  # the token was in it
    finally:
        control_plane.run(f"{KUBEADM} token delete {token.partition('.')[0]} --kubeconfig {ADMIN}")


def _clear(connection: Connection) -> None:
    """Take away what a cut-off attempt of ours left; refuse where there is a Kubernetes of another's."""
    if _begun(connection):
        reset(connection)
    elif occupied := facts.read(connection).occupied:
        raise ClusterError(
            f"{connection.address}: expected no Kubernetes of another's, found {', '.join(occupied)}; nothing was"
            " touched. Take another machine, or remove it (kubeadm reset)"
        )


def _kubeadm(connection: Connection, command: str, seconds: float) -> None:
    try:
        connection.run(f"{KUBEADM} {command}", timeout=seconds)
    except CommandError as error:
        said = connection.run("journalctl --unit kubelet --no-pager --lines 20 --output cat")
        reset(connection)
        raise ClusterError(f"{error}\nthe kubelet said last:\n{said}") from None
    connection.run(f"touch {CONFIGURATION}.done")


def exists(connection: Connection) -> bool:
    """Whether kubeadm has come to its end here."""
    return connection.run(f"test -e {CONFIGURATION}.done && echo yes || true").strip() == "yes"


def gone(connection: Connection) -> bool:
    """Whether what we made here is not there any more. A machine that is off tells nothing."""
    try:
        return not exists(connection)
    except UnreachableError:
        return False


def _begun(connection: Connection) -> bool:
    """Whether we ever began to make a cluster here: its configuration is written before kubeadm is started."""
    return connection.run(f"test -e {CONFIGURATION} && echo yes || true").strip() == "yes"


def kubeconfig(connection: Connection) -> str:
    """The admin's, with the server's address as we reach it: its certificate holds that too."""
    text = connection.run(f"cat {ADMIN}")
    lines = []
    for line in text.splitlines():
        head, separator, _ = line.partition("server: ")
        lines.append(f"{head}{separator}https://{connection.address}:{API_PORT}" if separator else line)
    return "\n".join(lines) + "\n"


def wait_ready(kubeconfig: str, node: str, kubectl: Path) -> None:
    """Until the node is Ready. Raises ClusterError with what kubectl says."""
    ran = _kubectl(kubectl, kubeconfig, "wait", "--for=condition=Ready", f"node/{node}", f"--timeout={READY_SECONDS}s")
    if ran.returncode:
        raise ClusterError(f"node {node}: expected Ready within {READY_SECONDS} s, kubectl says: {ran.stderr.strip()}")


def leave(kubeconfig: str, node: str, kubectl: Path, alive: bool) -> None:
    """Send a node's pods away, and forget it and what is left of them on it.

    Raises ClusterError where the cluster does not forget it.
    """
    if alive:
        options = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--timeout={DRAIN_SECONDS}s"]
        _kubectl(kubectl, kubeconfig, "drain", node, *options)  # what does not go in time goes with the machine
    ran = _kubectl(kubectl, kubeconfig, "delete", "node", node, "--ignore-not-found", f"--timeout={GONE_SECONDS}s")
    if ran.returncode:
        raise ClusterError(f"node {node}: expected it to be forgotten, kubectl says: {ran.stderr.strip()}")
    # Those of DaemonSets, and all of a dead machine: as long as the node was known, they were made again.
    gone = [
        "--all-namespaces",
        f"--field-selector=spec.nodeName={node}",
        "--force",
        "--grace-period=0",
        f"--timeout={GONE_SECONDS}s",
    ]
    _kubectl(kubectl, kubeconfig, "delete", "pods", *gone)


def _kubectl(kubectl: Path, kubeconfig: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    with tempfile.NamedTemporaryFile("w") as file:  # mode 0600
        file.write(kubeconfig)
        file.flush()
        return subprocess.run([kubectl, f"--kubeconfig={file.name}", *arguments], capture_output=True, text=True)


def reset(connection: Connection) -> None:
    """Take our cluster off the machine: its pods, certificates and etcd's data. Where we made none, touch nothing."""
    if not _begun(connection):
        return
    connection.run(f"rm -f {CONFIGURATION}.done; pkill -KILL -x kubeadm || true")  # of a caller that was killed
    connection.run(f"{KUBEADM} reset --force --cri-socket unix://{layout.SOCKET}", timeout=120)
    # What is still mounted for a pod is its claim: to remove it from there would be to remove the user's data.
    connection.run(
        "awk '$2 ~ \"^/var/lib/kubelet/\" {print $2}' /proc/mounts | sort -r | xargs -r umount --lazy"
        " && ! grep -q ' /var/lib/kubelet/' /proc/mounts"
    )
    # The configuration last: as long as it stands, this is known to be ours, and a cut-off reset is gone on with.
    connection.run(f"rm -rf /etc/kubernetes /var/lib/kubelet /var/lib/etcd && rm -f {CONFIGURATION}")
