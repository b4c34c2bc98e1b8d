"""A lab's machines, and what they take of this box."""

import os
from pathlib import Path

from homespun import places
from stacks.machines import cgroups, nspawn, rootfs, sites
from stacks.settings import BaseSettings, LabBase
from tools.table import CONTROL_TOOLS, MESH_TOOLS, TOOLS, Tool


def machines_of(found: LabBase) -> list[nspawn.Machine]:
    """The lab's machines as they are declared, whether they exist or not; the first holds the control plane."""
    networks, folder = sites.networks(found), places.state() / "labs" / found.lab.name
    return [
        nspawn.Machine(networks[one.site], folder, one.name, found.lan(one), rootfs.cached_path())
        for one in found.machines
    ]


def tools_of(found: BaseSettings) -> tuple[Tool, ...]:
    """The third-party commands that a lab needs."""
    joined = found.joined
    control = CONTROL_TOOLS if joined and joined.headscale_port else ()
    return (*TOOLS, *(MESH_TOOLS if joined else ()), *control)


def memory_bytes(machine: nspawn.Machine) -> int:
    """What the machine's processes take, without what the kernel only caches."""
    total = 0
    for process in cgroups.processes(machine.cgroup):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def disk_bytes(folder: Path) -> int:
    """What a folder takes on disk, a file with several names once."""
    seen: dict[tuple[int, int], int] = {}
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                found = os.lstat(f"{path}/{name}")
            except FileNotFoundError:
                continue
            seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())
