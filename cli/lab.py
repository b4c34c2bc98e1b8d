"""A lab's machine, and what it takes of this box."""

import os
from pathlib import Path

from homespun import places
from stacks import program
from stacks.machines import cgroups, nspawn, rootfs
from stacks.machines.network import Network
from stacks.settings import BaseSettings


def machine_of(found: BaseSettings) -> nspawn.Machine:
    """The lab's machine, whether it exists or not."""
    lab = found.lab
    address = lab.range[program.FIRST_ADDRESS]
    network = Network(lab.name, lab.bridge, lab.range)
    return nspawn.Machine(network, places.state() / "labs" / lab.name, program.MACHINE, address, rootfs.cached_path())


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
