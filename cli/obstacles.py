"""What would keep `up` from succeeding: what was expected, what was found, what to do."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from cli.errors import CommandFailed
from cli.kubectl import PATIENCE, Kubectl, cluster
from cli.lab import tools_of
from cli.project import Project
from homespun import places
from homespun.clients.errors import Denied, ServiceError
from homespun.hosts import facts
from homespun.hosts.errors import HostError
from homespun.hosts.facts import Facts
from stacks import settings
from stacks.hosts import is_off
from stacks.machines import network, own, sites, vast
from stacks.machines.errors import LabError
from stacks.mesh import control, names, tailscale
from stacks.mesh.errors import MeshError
from stacks.platform.manifests import CLAIMS, OURS, SYSTEM
from stacks.settings import BASE, BaseSettings, GivenPlatform, HomeBase, LabBase, PlatformSettings
from tools.__main__ import missing_packages
from tools.debian import SUITE
from tools.images import build
from tools.obtain import architecture, cached_path, downloads_allowed, find
from tools.pulumi.kubernetes.errors import KubeconfigError
from tools.pulumi.kubernetes.kubeconfig import connection, read

OS_RELEASE: Final = Path("/etc/os-release")
OLDEST_GO: Final = (1, 26)
CACHE_BYTES: Final = 16 << 30
"""Tools, root file system, environments (torch's is 5 GB) and images."""
GO_BYTES: Final = 9 << 30
"""Go's build cache, where commands are compiled."""
MACHINE_BYTES: Final = 10 << 30
"""What a machine unpacks."""
JOBSETS: Final = "jobsets.jobset.x-k8s.io"
DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"


def of(stack: str, platform: PlatformSettings) -> list[str]:
    """Why `up` would fail: what was expected, what was found, what to do. Empty: nothing known stands in the way."""
    if isinstance(platform, GivenPlatform):
        return cluster_obstacles(platform, stack)
    found = settings.base(stack)
    if isinstance(found, LabBase):
        return lab_obstacles(found, stack)
    return home_obstacles(
        found,
        stack,
        off=lambda name, why: print(f"off    {name} ({why}): it stays as it was until an up finds it on"),
    )


def lab_obstacles(found: LabBase, stack: str) -> list[str]:
    """Why a lab could not come up."""
    if wrong := _box():
        return wrong  # what follows asks by these packages' commands
    networks = list(sites.networks(found).values())
    for one in networks:
        try:
            network.check(one)
        except LabError as error:
            wrong.append(str(error))
    if chain := network.foreign_drop():
        bridges = ", ".join(one.bridge for one in networks)
        wrong.append(
            f"netfilter: expected forwarded packets to be accepted, found policy drop in {chain}; allow {bridges}"
            " there (Docker: `iptables -I DOCKER-USER -i BRIDGE -j ACCEPT` and the same with -o)"
        )
    state = {} if (places.state() / "labs").exists() else {places.state(): MACHINE_BYTES * len(found.machines)}
    return [*wrong, *tailnet_obstacles(found, stack), *_go(found), *_room(state)]


def home_obstacles(
    found: HomeBase,
    stack: str,
    show: Callable[[str, Facts], object] = lambda name, machine: None,
    price: Callable[[str, str], object] | None = None,
    off: Callable[[str, HostError], object] = lambda name, why: None,
) -> list[str]:
    """Why machines of one's own could not become a cluster.

    One that was set up and is off is none, unless it is the first. `show` is told of each that answers, `off` of each
    that is off, and `price` of each that is, or could be, rented: where nobody wants to hear it, vast.ai is not asked.
    """
    if wrong := _box():
        return wrong
    own.pin(found)
    set_up = Project.recorded(f"{stack}{BASE}", "Host")
    for name, reached in own.connections(found).items():
        try:
            machine = facts.read(reached)
        except HostError as error:
            if name != found.first.name and any(is_off(error, one, {"connection": vars(reached)}) for one in set_up):
                off(name, error)
            else:
                wrong.append(f"{name}: {error}")
            continue
        show(f"{name} {reached.address}", machine)
        wrong += [f"{name}: {line}" for line in machine_obstacles(name, machine, found)]
    wrong += _rentals(found, price) if price else []
    return [*wrong, *tailnet_obstacles(found, stack), *_go(found), *_room({})]


def _rentals(found: HomeBase, price: Callable[[str, str], object]) -> list[str]:
    """Why what is declared could not be rented."""
    wrong = []
    for one in found.rented:
        try:
            price(one.name, vast.price(found, one))
        except ServiceError as error:
            wrong.append(f"{one.name}: {error}")
    return wrong


def tailnet_obstacles(found: BaseSettings, stack: str) -> list[str]:
    """Why machines could not meet at Tailscale's service, where they are to. A cluster that is up can do without it for
    a while, so one that does not answer is in nobody's way."""
    if not found.meets_at_tailscale:
        return []
    try:
        server = control.tailscale()
        domain = found.mesh.domain
        tailscale.planned(server, found.called, map(str, found.carried), named=bool(domain), adopt=found.mesh.adopt)
        if domain:
            put = [one for known in Project.recorded(f"{stack}{BASE}", "Names") for one in known.get("ours", ())]
            why = names.refusal(server.dns(), domain, {*put, *names.addresses(server)})
            return [why] if why else []
    except (Denied, MeshError) as error:
        return [str(error)]
    except ServiceError:
        return []
    return []


def machine_obstacles(name: str, machine: Facts, found: HomeBase) -> list[str]:
    """Why a machine of one's own could not be a node."""
    wrong = facts.in_the_way(machine, found.name, found.cluster.ranges, found.over_the_mesh(name))
    if machine.architecture != architecture():
        wrong.append(f"architecture: expected this box's ({architecture()}), found {machine.architecture}")
    if machine.free_bytes < MACHINE_BYTES and not machine.ours:
        wrong.append(f"/var/lib: expected {MACHINE_BYTES >> 30} GB free, found {machine.free_bytes >> 30}")
    return wrong


def _box() -> list[str]:
    """What this box lacks."""
    wrong = []
    if release().get("VERSION_CODENAME") != SUITE:
        wrong.append(f"system: expected Debian 12 ({SUITE}), whose Python pods have too, found {system()}")
    if os.geteuid() != 0:
        wrong.append("user: expected root (debootstrap, a lab's namespaces), found another; run it with sudo")
    if missing := missing_packages():
        wrong.append(f"packages: expected {', '.join(missing)}, found none; apt-get install {' '.join(missing)}")
    return wrong


def missing_tools(found: BaseSettings) -> int:
    """How many commands are neither on this box nor in the cache."""
    return sum(not cached_path(tool).exists() and not find(tool) for tool in tools_of(found))


def short_of_room(wanted: Mapping[Path, int], device: Callable[[Path], int], free: Callable[[Path], int]) -> list[str]:
    """What each disk lacks, all together, of the bytes that folders on it want."""
    wrong = []
    for _, group in groupby(sorted(wanted, key=device), key=device):
        folders = list(group)
        total, there = sum(wanted[folder] for folder in folders), free(folders[0])
        if there < total:
            wrong.append(
                f"{' and '.join(map(str, folders))}: expected {total >> 30} GB free, found {there >> 30}; free some, or"
                " set HOMESPUN_STATE or HOMESPUN_CACHE to another disk"
            )
    return wrong


def _room(wanted: dict[Path, int]) -> list[str]:
    """What disks lack, with what the cache takes where it is empty."""
    if build.missing() == list(build.references()):
        wanted[places.cache()] = CACHE_BYTES + (0 if downloads_allowed() else GO_BYTES)
    return short_of_room(wanted, _device, lambda folder: shutil.disk_usage(_existing(folder)).free)


def _go(found: BaseSettings) -> list[str]:
    """Where commands have to be compiled."""
    if downloads_allowed() or not missing_tools(found):
        return []
    command = shutil.which("go")
    said = subprocess.run([command, "env", "GOVERSION"], capture_output=True, text=True).stdout if command else ""
    version = re.match(r"go(\d+)\.(\d+)", said)
    if version and tuple(map(int, version.groups())) >= OLDEST_GO:
        return []
    expected = ".".join(map(str, OLDEST_GO))
    return [f"go: expected {expected} or later, to compile commands with, found {said.strip() or 'none'}; install it"]


def system() -> str:
    """What this box calls itself."""
    return release().get("PRETTY_NAME", "an unknown system")


def release() -> dict[str, str]:
    """What this box says of itself (os-release(5))."""
    lines = OS_RELEASE.read_text().splitlines() if OS_RELEASE.exists() else []
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


def _device(folder: Path) -> int:
    return _existing(folder).stat().st_dev


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


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
    if found.images.delivery == "registry" and os.geteuid() != 0 and build.missing(found.ingress is not None):
        command = f"python3 -m tools.images{' --ingress' if found.ingress else ''}"
        return ["images: expected root, for debootstrap builds them, found another user;"
                f" `sudo {command}` with the same HOMESPUN_CACHE builds them beforehand"]  # fmt: skip
    return []
