"""What a machine is: read over SSH by one shell script, parsed into a value. All that differs between machines follows.

The script needs no more than POSIX sh and prints `name=value` lines, so that it runs before anything was installed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from homespun.hosts.errors import HostError
from homespun.hosts.layout import BRIDGE
from homespun.hosts.ssh import Connection

ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
CAP_SYS_RESOURCE: Final = 24  # linux/capability.h
CPU_FLAGS: Final = ("sse4_2", "avx2", "avx512f", "asimd")
"""What Milvus, torch and ONNX Runtime are fast or slow by."""
HALF: Final = 1
"""The prefix of a VPN's two routes that stand for the default one."""
SUPPORTED: Final = ("debian", "ubuntu")
OLDEST_KERNEL: Final = (5, 13)
"""kube-proxy's, by nftables (pkg/proxy/nftables/supported.go)."""
STATE_FILE: Final = "/opt/homespun/state.json"
"""On a machine that is ours, which it became only where nothing stood in the way: it holds no Kubernetes but ours."""

SCRIPT: Final = (
    r"""
set -u
. /etc/os-release
echo "os=$ID"
echo "os_version=$VERSION_ID"
echo "kernel=$(uname -r)"
echo "architecture=$(uname -m)"
echo "cpus=$(getconf _NPROCESSORS_ONLN)"
echo "memory_kib=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
echo "page_size=$(getconf PAGESIZE)"
case $(stat -fc %T /sys/fs/cgroup) in cgroup2fs) echo cgroup_version=2 ;; *) echo cgroup_version=1 ;; esac
echo "capabilities=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)"
echo "container=$(systemd-detect-virt --container || true)"
echo "init=$(cat /proc/1/comm)"
for driver in /proc/driver/nvidia/gpus/*/information; do [ -e "$driver" ] && echo "gpu=nvidia"; done
for flag in CPU_FLAGS; do grep -qw "$flag" /proc/cpuinfo && echo "cpu_flag=$flag"; done
for module in overlay br_netfilter nf_tables; do
    file=$(modinfo -F filename "$module" 2>/dev/null) && [ -f "$file" ] && echo "loadable_module=$module"
done
for path in /etc/kubernetes /var/lib/kubelet /var/lib/etcd STATE_FILE; do
    [ -e "$path" ] && [ -n "$(ls -A "$path" 2>/dev/null)" ] && echo "path=$path"
done
for command in dockerd containerd tailscaled k3s kubelet; do
    command -v "$command" >/dev/null && echo "command=$command"
done
[ -e /run/systemd/resolve/resolv.conf ] && echo "resolv_conf=/run/systemd/resolve/resolv.conf"
echo "free_kib=$(df -Pk /var/lib | awk 'NR==2 {print $4}')"
ip -4 route show | awk '$1 ~ /\// {print "network="$1}'
[ -x /usr/bin/python3 ] && echo python=yes
sed -n 's/.*"cluster": "\([^"]*\)".*/cluster=\1/p' STATE_FILE 2>/dev/null
iptables -S FORWARD 2>/dev/null | grep -qx -- '-P FORWARD DROP' &&
    ! { iptables -C DOCKER-USER -i BRIDGE -j ACCEPT && iptables -C DOCKER-USER -o BRIDGE -j ACCEPT; } 2>/dev/null &&
    echo forward_drop=yes
echo end=yes
""".replace("STATE_FILE", STATE_FILE)
    .replace("BRIDGE", BRIDGE)
    .replace("CPU_FLAGS", " ".join(CPU_FLAGS))
)


@dataclass(frozen=True)
class Facts:
    """What was found on a machine."""

    os: str
    os_version: str
    kernel: str
    architecture: str
    """Go's name: amd64, arm64."""
    cpus: int
    memory_bytes: int
    page_size: int
    cgroup_version: int
    """1 or 2: the hierarchy that limits memory and CPU."""
    may_lower_oom_score: bool
    """Whether root holds CAP_SYS_RESOURCE, without which no process gets a negative OOM score."""
    container: str | None
    """The container runtime that the machine itself lives in (systemd-detect-virt), if any."""
    systemd: bool
    cpu_flags: tuple[str, ...]
    """Those of CPU_FLAGS that it has."""
    gpus: tuple[str, ...]
    loadable_modules: tuple[str, ...]
    """Kernel modules of ours that exist as files, so have to be loaded; others are built in."""
    occupied: tuple[str, ...]
    """Which of kubeadm's folders hold something: /etc/kubernetes, /var/lib/kubelet, /var/lib/etcd."""
    ours: bool
    """Whether Homespun has been here."""
    cluster: str | None
    """Whose node we made it."""
    python: bool
    """Whether there is a /usr/bin/python3, which Ansible wants."""
    services: tuple[str, ...]
    """Daemons that are installed and not ours: dockerd, containerd, tailscaled, k3s, kubelet."""
    resolv_conf: str
    """The file with the machine's real DNS servers, not a stub on loopback."""
    free_bytes: int
    """Of the disk that holds /var/lib."""
    networks: tuple[IPv4Network, ...]
    """Where its routes lead, but for the default one."""
    forward_drop: bool
    """Whether iptables drops by default what is forwarded: Docker's habit, and the end of pod networking."""


def read(connection: Connection) -> Facts:
    """Raises UnreachableError, CommandError, HostError."""
    return parse(connection.run(SCRIPT), connection.address)


def parse(text: str, machine: str) -> Facts:
    """What the script printed on `machine`. Raises HostError where that is not a whole answer."""
    lines = [line.partition("=") for line in text.splitlines()]
    one = {name: value for name, _, value in lines}
    if "end" not in one:
        raise HostError(f"{machine}: expected facts, got {text[:200]!r}")
    if one["architecture"] not in ARCHITECTURES:
        known = " or ".join(ARCHITECTURES)
        raise HostError(f"{machine}: architecture: expected {known}, found {one['architecture']}")

    def every(wanted: str) -> tuple[str, ...]:
        return tuple(value for name, _, value in lines if name == wanted)

    paths = every("path")
    return Facts(
        os=one["os"],
        os_version=one["os_version"],
        kernel=one["kernel"],
        architecture=ARCHITECTURES[one["architecture"]],
        cpus=int(one["cpus"]),
        memory_bytes=int(one["memory_kib"]) * 1024,
        page_size=int(one["page_size"]),
        cgroup_version=int(one["cgroup_version"]),
        may_lower_oom_score=bool(int(one["capabilities"], 16) >> CAP_SYS_RESOURCE & 1),
        container=None if one["container"] in ("", "none") else one["container"],
        systemd=one["init"] == "systemd",
        cpu_flags=every("cpu_flag"),
        gpus=every("gpu"),
        loadable_modules=every("loadable_module"),
        occupied=tuple(path for path in paths if path != STATE_FILE),
        ours=STATE_FILE in paths,
        cluster=one.get("cluster"),
        python="python" in one,
        services=every("command"),
        resolv_conf=one.get("resolv_conf", "/etc/resolv.conf"),
        free_bytes=int(one["free_kib"]) * 1024,
        networks=tuple(map(IPv4Network, every("network"))),
        forward_drop="forward_drop" in one,
    )


def obstacles(facts: Facts) -> list[str]:
    """Why Homespun won't touch this machine: what was expected, what was found, what to do. Empty: it may."""
    found = []
    if facts.os not in SUPPORTED:
        found.append(f"os: expected Debian or Ubuntu, found {facts.os} {facts.os_version}; a cluster of your own can be"
                     " given by its kubeconfig")  # fmt: skip
    if kernel_version(facts.kernel) < OLDEST_KERNEL:
        expected = ".".join(map(str, OLDEST_KERNEL))
        found.append(f"kernel: expected {expected} or later, for Services by nftables, found {facts.kernel}; a newer"
                     " release of its system brings one")  # fmt: skip
    if not facts.systemd:
        found.append("init: expected systemd as process 1, found another")
    if facts.occupied and not facts.ours:
        found.append(f"expected no Kubernetes of another's, found {', '.join(facts.occupied)}; take another machine,"
                     " or remove it (kubeadm reset)")  # fmt: skip
    if (theirs := sorted({"k3s", "kubelet"} & set(facts.services))) and not facts.ours:
        found.append(f"expected no Kubernetes of another's, found {', '.join(theirs)} on PATH; take another machine,"
                     " or give that cluster by its kubeconfig")  # fmt: skip
    if not facts.python:
        found.append("expected /usr/bin/python3, found none; apt-get install python3")
    if facts.forward_drop:
        found.append(f"iptables: expected policy ACCEPT of chain FORWARD, found DROP, so no pod could reach another"
                     f" machine; Docker sets it: `iptables -I DOCKER-USER -i {BRIDGE} -j ACCEPT` and the same with -o,"
                     " at each boot")  # fmt: skip
    return found


def kernel_version(release: str) -> tuple[int, ...]:
    """The first two numbers of what `uname -r` says; (0, 0) where it says none."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def of_another(facts: Facts, cluster: str) -> list[str]:
    """Why it can't be a node of that cluster of ours: it is one of another already."""
    if facts.cluster in (None, cluster):
        return []
    return [f"expected no node of another cluster's, found one of {facts.cluster}'s; `make down` there first"]


def in_the_way(
    facts: Facts, cluster: str, ranges: Mapping[str, IPv4Network], apart: Mapping[str, IPv4Network]
) -> list[str]:
    """All that keeps a machine from being a node of that cluster.

    `ranges` are the cluster's own; `apart` are addresses that it reaches over the mesh alone; by their settings.
    """
    return [
        *obstacles(facts),
        *of_another(facts, cluster),
        *overlaps(facts, apart),
        *([] if facts.ours else overlaps(facts, ranges)),  # ours have ways into them
    ]


def overlaps(facts: Facts, ranges: Mapping[str, IPv4Network]) -> list[str]:
    """Which of a cluster's ranges the machine has another way to, by their settings."""
    return [
        f"{setting} ({wanted}): expected no route of the machine's into it, found one to {network}; one of the two has"
        " to have other addresses"
        for setting, wanted in ranges.items()
        for network in facts.networks
        if network.overlaps(wanted) and network.prefixlen > HALF
    ]
