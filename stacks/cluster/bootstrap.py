"""Make a cluster on a machine that has its binaries, look at it, take it away: by kubeadm, over SSH."""

import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from homespun.hosts import facts, state
from homespun.hosts.cluster import API_PORT, Cluster
from homespun.hosts.errors import CommandError
from homespun.hosts.ssh import Connection
from stacks.cluster import kubeadm
from stacks.cluster.errors import ClusterError
from stacks.cluster.kubeadm import NodeRegistration

ADMIN: Final = "/etc/kubernetes/admin.conf"
CONFIGURATION: Final = f"{state.PREFIX}/etc/kubeadm.json"
KUBEADM: Final = f"PATH={state.PREFIX}/bin:/usr/sbin:/usr/bin:/sbin:/bin kubeadm"
INIT_SECONDS: Final = 300
READY_SECONDS: Final = 120


def init(connection: Connection, cluster: Cluster, node: NodeRegistration) -> str:
    """The admin's kubeconfig of a new cluster. A failure leaves the machine as before; raises ClusterError.

    Refuses where there is a Kubernetes that is not ours, before anything is touched.
    """
    if exists(connection):
        return kubeconfig(connection)
    if _begun(connection):
        reset(connection)  # what an earlier attempt of ours that was cut off left behind
    elif occupied := facts.read(connection).occupied:
        raise ClusterError(
            f"{connection.address}: expected no Kubernetes of another's, found {', '.join(occupied)}; nothing was"
            " touched. Take another machine, or remove it (kubeadm reset)"
        )
    _write(connection, CONFIGURATION, kubeadm.configuration(cluster, node))
    try:
        connection.run(f"{KUBEADM} init --config {CONFIGURATION} --skip-token-print", timeout=INIT_SECONDS)
    except CommandError as error:
        said = connection.run("journalctl --unit kubelet --no-pager --lines 20 --output cat")
        reset(connection)
        raise ClusterError(f"{error}\nthe kubelet said last:\n{said}") from None
    connection.run(f"touch {CONFIGURATION}.done")
    return kubeconfig(connection)


def exists(connection: Connection) -> bool:
    """Whether kubeadm has come to its end here."""
    return connection.run(f"test -e {CONFIGURATION}.done && echo yes || true").strip() == "yes"


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
    with tempfile.NamedTemporaryFile("w") as file:  # mode 0600
        file.write(kubeconfig)
        file.flush()
        wait = ["wait", "--for=condition=Ready", f"node/{node}", f"--timeout={READY_SECONDS}s"]
        ran = subprocess.run([kubectl, f"--kubeconfig={file.name}", *wait], capture_output=True, text=True)
    if ran.returncode:
        raise ClusterError(f"node {node}: expected Ready within {READY_SECONDS} s, kubectl says: {ran.stderr.strip()}")


def reset(connection: Connection) -> None:
    """Take our cluster off the machine: its pods, certificates and etcd's data. Where we made none, touch nothing."""
    if not _begun(connection):
        return
    connection.run(f"rm -f {CONFIGURATION}.done; pkill -KILL -x kubeadm || true")  # of a caller that was killed
    connection.run(f"{KUBEADM} reset --force --cri-socket unix://{state.SOCKET}", timeout=120)
    # The configuration last: as long as it stands, this is known to be ours, and a cut-off reset is gone on with.
    connection.run(f"rm -rf /etc/kubernetes /var/lib/kubelet /var/lib/etcd && rm -f {CONFIGURATION}")


def _write(connection: Connection, path: str, content: str) -> None:
    connection.run(f"umask 077 && cat > {shlex.quote(path)}", input=content)
