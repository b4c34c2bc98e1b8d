"""`make doctor`: what was found, what will be touched, how much is downloaded or compiled, what stands in the way."""

import os
import shutil
from pathlib import Path
from typing import Final

from cli.errors import CommandFailed, make
from cli.kubectl import PATIENCE, Kubectl, cluster
from cli.project import Project
from homespun import places
from stacks import settings
from stacks.machines import network, rootfs
from stacks.machines.errors import LabError
from stacks.machines.network import Network
from stacks.platform.manifests import CLAIMS, OURS, PAGE, SYSTEM
from stacks.settings import BaseSettings, GivenPlatform, PlatformSettings
from tools.__main__ import missing_packages
from tools.images import build
from tools.obtain import cached_path, downloads_allowed, find
from tools.pulumi.kubernetes.errors import KubeconfigError
from tools.pulumi.kubernetes.kubeconfig import connection, read
from tools.table import TOOLS

CACHE_BYTES: Final = 30 << 30
"""Tools with Go's build cache, root file system, environments (torch's is 5 GB) and images."""
STATE_BYTES: Final = 10 << 30
"""The machine with what it unpacks."""
MEMORY_BYTES: Final = 6 << 30
GO_BYTES: Final = 6 << 30
JOBSETS: Final = "jobsets.jobset.x-k8s.io"
DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"


def obstacles(stack: str, platform: PlatformSettings) -> list[str]:
    """Why `up` would fail: what was expected, what was found, what to do. Empty: nothing known stands in the way."""
    if isinstance(platform, GivenPlatform):
        return cluster_obstacles(platform, stack)
    return lab_obstacles(settings.base(stack))


def lab_obstacles(found: BaseSettings) -> list[str]:
    """Why a lab could not come up: what was expected, what was found, what to do. Empty: nothing that is known."""
    wrong = []
    if os.geteuid() != 0:
        wrong.append("user: expected root (namespaces, a bridge), found another; run it with sudo")
    if missing := missing_packages():
        wrong.append(f"packages: expected {', '.join(missing)}, found none; apt-get install {' '.join(missing)}")
    if wrong:
        return wrong  # what follows asks by these packages' commands
    lab = Network(found.lab.name, found.lab.bridge, found.lab.range)
    try:
        network.check(lab)
    except LabError as error:
        wrong.append(str(error))
    if chain := network.foreign_drop():
        wrong.append(
            f"netfilter: expected forwarded packets to be accepted, found policy drop in {chain}; allow {lab.bridge}"
            " there (Docker: `iptables -I DOCKER-USER -i BRIDGE -j ACCEPT` and the same with -o)"
        )
    for folder, wanted in ((places.state(), STATE_BYTES), (places.cache(), CACHE_BYTES)):
        free = shutil.disk_usage(_existing(folder)).free
        if free < wanted and not _whole(folder):
            wrong.append(f"{folder}: expected {wanted >> 30} GB free, found {free >> 30}; free some, or set"
                         " HOMESPUN_STATE or HOMESPUN_CACHE to another disk")  # fmt: skip
    return wrong


def cluster_obstacles(found: GivenPlatform, stack: str) -> list[str]:
    """Why the platform could not be put on a cluster that is there already."""
    place = f"{found.kubeconfig}, context {found.context}"
    kubectl = cluster(stack, found)
    try:
        connection(*read(str(found.kubeconfig), {}), found.context)
        kubectl.run("get", "--raw", "/version", PATIENCE)
        rights = kubectl.may("*", "*")
    except (CommandFailed, KubeconfigError) as error:
        return [f"{place}: expected a cluster that answers, found none: {error}"]
    if not rights:
        return [f"{place}: expected an administrator's rights, found fewer; name another kubeconfig or context"]
    return [*_strangers(kubectl, found, stack), *_storage(kubectl, found), *_images(found)]


def _strangers(kubectl: Kubectl, found: GivenPlatform, stack: str) -> list[str]:
    """Namespaces that are not ours to take: nothing of another's is overwritten, or removed by `down`."""
    wrong = []
    if kubectl.get("namespace", SYSTEM) and not Project.known(stack):
        wrong.append(
            f"namespace {SYSTEM}: expected none, found one that {places.state()} knows nothing of: it is another"
            " installation's. `make down` there first, or use its state folder (HOMESPUN_STATE)"
        )
    theirs = kubectl.get("namespace", found.namespace)
    if theirs and not OURS.items() <= theirs["metadata"].get("labels", {}).items():
        wrong.append(
            f"namespace {found.namespace}: expected none, found one of another's, whose pods the restricted Pod"
            " Security would refuse; name another in homespun:namespace"
        )
    crd = kubectl.get("crd", JOBSETS)
    if found.jobset == "bring" and crd and not OURS.items() <= crd["metadata"].get("labels", {}).items():
        wrong.append(
            f"JobSet: expected none, found one of another's ({JOBSETS}); homespun:jobset: present leaves it alone and"
            " uses it"
        )
    return wrong


def _storage(kubectl: Kubectl, found: GivenPlatform) -> list[str]:
    classes = kubectl.get("storageclass").get("items", [])
    default = [one for one in classes if one["metadata"].get("annotations", {}).get(DEFAULT_CLASS) == "true"]
    if default or all(kubectl.get("-n", found.namespace, "pvc", claim) for claim in CLAIMS):
        return []
    known = ", ".join(one["metadata"]["name"] for one in classes) or "none at all"
    names = ", ".join(CLAIMS)
    return [f"the claims {names}: expected a default StorageClass to provide them, found {known}; make one the default"]


def _images(found: GivenPlatform) -> list[str]:
    if found.images.delivery == "registry" and os.geteuid() != 0 and build.missing():
        return ["images: expected root, for debootstrap builds them, found another user; `sudo python3 -m tools.images`"
                " with the same HOMESPUN_CACHE builds them beforehand"]  # fmt: skip
    return []


def doctor(stack: str) -> bool:
    """Print it all; whether nothing stands in the way."""
    found = settings.platform(stack)
    wrong = _cluster(found, stack) if isinstance(found, GivenPlatform) else _lab(stack)
    for line in wrong:
        print(f"in the way  {line}")
    return not wrong


def _cluster(found: GivenPlatform, stack: str) -> list[str]:
    wrong = cluster_obstacles(found, stack)
    print(
        f"found    {'a cluster' if not wrong else 'no cluster to use'}: context {found.context} of {found.kubeconfig}"
    )
    print(
        f"touches  namespaces {SYSTEM} and {found.namespace}, the kinds of homespun.dev, JobSet (kind, webhooks),"
        f" ClusterRoles homespun-{PAGE} and homespun-jobset-controller;"
    )
    print(f"         ports {found.gateway_port}, {found.page_port} and {found.vectors_port} of every node, plain HTTP")
    print(f"         here: {places.state()}, {places.cache()}")
    print(f"leaves   by `{make('down', stack)}`: keeps the kinds, namespace {found.namespace} and its claims")
    return wrong


def _lab(stack: str) -> list[str]:
    found = settings.base(stack)
    to_get = [tool for tool in TOOLS if not cached_path(tool).exists() and not find(tool)]
    lab = found.lab
    print(f"found    {os_name()}, {os.cpu_count()} CPUs, {_memory() >> 30} GB memory, cgroup v{cgroup_version()}")
    print(f"tools    {len(TOOLS) - len(to_get)} of {len(TOOLS)} there{_how(len(to_get))}")
    print(f"machine  root file system {'there' if rootfs.cached_path().exists() else 'to be made: 110 MB of packages'}")
    print(f"touches  {places.state()}, {places.cache()}, bridge {lab.bridge} ({lab.range}), nftables table")
    print(f"         homespun-{lab.name}, cgroup homespun/{lab.name}, forwarding of that bridge and the uplink")
    print("leaves   by `make down` (keeps the cache) and `make clean`")
    wrong = lab_obstacles(found)
    if _memory() < MEMORY_BYTES:
        wrong.append(f"memory: expected {MEMORY_BYTES >> 30} GB, found {_memory() >> 30}")
    return wrong


def os_name() -> str:
    """What this box calls itself."""
    lines = Path("/etc/os-release").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return fields.get("PRETTY_NAME", "an unknown system").strip('"')


def cgroup_version() -> int:
    """The version that limits memory and CPU here."""
    return 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1


def _how(count: int) -> str:
    if not count:
        return ""
    if downloads_allowed():
        return f"; {count} to be downloaded (some 0.3 GB), or compiled where their sites are out of reach"
    return f"; {count} to be compiled (some 12 minutes on 2 CPUs, {GO_BYTES >> 30} GB of Go's cache)"


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


def _whole(folder: Path) -> bool:
    """Whether what needs the room is there already."""
    return (folder / "labs").exists() or (folder / "rootfs").exists()
