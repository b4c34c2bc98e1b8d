"""What a machine is: read over SSH by one shell script, parsed into a value. All that differs between machines follows.

The script needs no more than POSIX sh and prints `name=value` lines, so that it runs before anything was installed.
"""

from dataclasses import dataclass
from typing import Final

from homespun.hosts.errors import HostError
from homespun.hosts.ssh import Connection

ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
CAP_SYS_RESOURCE: Final = 24  # linux/capability.h
SUPPORTED: Final = ("debian", "ubuntu")
STATE_FILE: Final = "/opt/homespun/state.json"
"""On a machine that is ours, which it became only where nothing stood in the way: it holds no Kubernetes but ours."""

SCRIPT: Final = r"""
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
iptables -S FORWARD 2>/dev/null | grep -qx -- '-P FORWARD DROP' && echo forward_drop=yes
echo end=yes
""".replace("STATE_FILE", STATE_FILE)


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
    gpus: tuple[str, ...]
    loadable_modules: tuple[str, ...]
    """Kernel modules of ours that exist as files, so have to be loaded; others are built in."""
    occupied: tuple[str, ...]
    """Which of kubeadm's folders hold something: /etc/kubernetes, /var/lib/kubelet, /var/lib/etcd."""
    ours: bool
    """Whether Homespun has been here."""
    services: tuple[str, ...]
    """Daemons that are installed and not ours: dockerd, containerd, tailscaled, k3s, kubelet."""
    resolv_conf: str
    """The file with the machine's real DNS servers, not a stub on loopback."""
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
        gpus=every("gpu"),
        loadable_modules=every("loadable_module"),
        occupied=tuple(path for path in paths if path != STATE_FILE),
        ours=STATE_FILE in paths,
        services=every("command"),
        resolv_conf=one.get("resolv_conf", "/etc/resolv.conf"),
        forward_drop="forward_drop" in one,
    )


def obstacles(facts: Facts) -> list[str]:
    """Why Homespun won't touch this machine: what was expected, what was found, what to do. Empty: it may."""
    found = []
    if facts.os not in SUPPORTED:
        found.append(f"os: expected Debian or Ubuntu, found {facts.os} {facts.os_version}; a cluster of your own can be"
                     " given by its kubeconfig")  # fmt: skip
    if not facts.systemd:
        found.append("init: expected systemd as process 1, found another")
    if facts.occupied and not facts.ours:
        found.append(f"expected no Kubernetes of another's, found {', '.join(facts.occupied)}; take another machine,"
                     " or remove it (kubeadm reset)")  # fmt: skip
    if facts.forward_drop:
        found.append("iptables: expected policy ACCEPT of chain FORWARD, found DROP, so no pod could reach another"
                     " machine; Docker sets it: allow the pods in its chain DOCKER-USER")  # fmt: skip
    return found
