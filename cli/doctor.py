"""`make doctor`: what was found, what will be touched, how much is downloaded or compiled, what stands in the way."""

import os
from pathlib import Path
from typing import Final

from cli.errors import make
from cli.lab import tools_of
from cli.obstacles import GO_BYTES, cluster_obstacles, home_obstacles, lab_obstacles, missing_tools, system
from homespun import places
from homespun.hosts import headscale, layout, mesh
from homespun.hosts.facts import Facts
from stacks import settings
from stacks.machines import rootfs, sites
from stacks.mesh.policy import TAG
from stacks.platform.manifests import PAGE, SYSTEM
from stacks.settings import GivenPlatform, HomeBase, LabBase, OwnBase, OwnPlatform
from tools.images import build
from tools.obtain import downloads_allowed

MEMORY_BYTES: Final = 6 << 30
MEMORY_BYTES_MORE: Final = 1 << 30
"""For each machine more."""


def doctor(stack: str) -> bool:
    """Print it all; whether nothing stands in the way."""
    found = settings.platform(stack)
    wrong = _cluster(found, stack) if isinstance(found, GivenPlatform) else _own(stack, found)
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
    plain = f"ports {found.gateway_port}, {found.page_port} and {found.vectors_port} of every node, plain HTTP"
    print(f"         {f'port {found.ingress.port} of every node, TLS' if found.ingress else plain}")
    print(f"         here: {places.state()}, {places.cache()}")
    print(f"leaves   by `{make('down', stack)}`: keeps the kinds, namespace {found.namespace} and its claims")
    return wrong


def _own(stack: str, platform: OwnPlatform) -> list[str]:
    found = settings.base(stack)
    tools, to_get = len(tools_of(found)), missing_tools(found)
    print(f"found    {system()}, {os.cpu_count()} CPUs, {_memory() >> 30} GB memory, cgroup v{cgroup_version()}")
    print(f"tools    {tools - to_get} of {tools} there{_how(to_get)}")
    print(f"images   {_images(platform.ingress is not None)}")
    return _lab(stack, found) if isinstance(found, LabBase) else _home(stack, found)


def _lab(stack: str, found: LabBase) -> list[str]:
    print(f"machine  root file system {'there' if rootfs.cached_path().exists() else 'to be made: 110 MB of packages'}")
    print(f"touches  {places.state()}, {places.cache()}, cgroup homespun/{found.lab.name}, forwarding of the uplink")
    for one in sites.networks(found).values():
        print(f"         bridge {one.bridge} ({one.range}), its forwarding, nftables table {one.table}")
    _tailnet(found)
    print(f"leaves   by `{make('down', stack)}` (keeps the cache) and `make clean`")
    wrong = lab_obstacles(found, stack)
    memory = MEMORY_BYTES + (len(found.machines) - 1) * MEMORY_BYTES_MORE
    if _memory() < memory:
        wrong.append(f"memory: expected {memory >> 30} GB, found {_memory() >> 30}")
    return wrong


def _home(stack: str, found: HomeBase) -> list[str]:
    wrong = home_obstacles(
        found,
        stack,
        lambda name, machine: print(f"machine  {name}: {described(machine)}"),
        lambda name, price: print(f"rented   {name}: {price}"),
        lambda name, why: print(f"off      {name} ({why})"),
    )
    if found.joined and found.joined.headscale_port:
        ports = f"TCP {found.joined.headscale_port}, UDP {headscale.STUN_PORT} and {mesh.PORT}"
        print(
            f"mesh     other sites reach {found.first.name} at {found.control_address}: {ports} (homespun:mesh.address)"
        )
    print(f"touches  here {places.state()} and {places.cache()}; on the machines what docs/home.md lists")
    _tailnet(found)
    print(f"leaves   by `{make('down', stack)}`: users' data stays in {layout.VOLUMES}")
    return wrong


def _tailnet(found: OwnBase) -> None:
    if found.meets_at_tailscale:
        named = f", who is asked for names under {found.mesh.domain}" if found.mesh.domain else ""
        marked = f"in its policy what stands between the marks of {found.called}"
        print(f"         your tailnet: {marked}, devices ({TAG}){named}")


def described(found: Facts) -> str:
    """A machine in a line."""
    there = f"; left alone: {', '.join(found.services)}" if found.services else ""
    flags, pages = ", ".join(found.cpu_flags), found.page_size >> 10
    return (
        f"{found.os} {found.os_version}, {found.architecture}, {found.cpus} CPUs ({flags}),"
        f" {found.memory_bytes >> 30} GB memory, {found.free_bytes >> 30} GB free, {pages} KiB pages,"
        f" cgroup v{found.cgroup_version}{there}"
    )


def cgroup_version() -> int:
    """The version that limits memory and CPU here."""
    return 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1


def _images(ingress: bool) -> str:
    names, missing = build.references(ingress), build.missing(ingress)
    anew = " (some 3 minutes on 2 CPUs, up to 4 GB of packages from PyPI and Debian)"
    rest = f"; {len(missing)} to be built{anew if len(missing) == len(names) else ''}"
    return f"{len(names) - len(missing)} of {len(names)} there{rest if missing else ''}"


def _how(count: int) -> str:
    if not count:
        return ""
    if downloads_allowed():
        return f"; {count} to be downloaded (some 0.3 GB), or compiled where their sites are out of reach"
    return f"; {count} to be compiled (some 12 minutes on 2 CPUs, {GO_BYTES >> 30} GB of Go's cache)"


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
