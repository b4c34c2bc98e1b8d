"""One control group a machine, in every hierarchy of the box, so that all of a machine can be found, measured, ended.

On a box with cgroup v1 each controller is a hierarchy of its own (and systemd's, and often an empty v2 one beside
them); with v2 there is one. Groups are made at a hierarchy's root: under v2 a group that holds processes can't have
children, and a machine must outlive the session that started it.
"""

import contextlib
import os
import signal
import time
from pathlib import Path, PurePosixPath

from stacks.machines.errors import LabError

MEMORY_FILES = ("memory.current", "memory.usage_in_bytes")  # v2, v1


def hierarchies() -> tuple[Path, ...]:
    """Mount points of all cgroup hierarchies of the box."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return tuple(Path(fields[1]) for fields in mounts if fields[2] in ("cgroup", "cgroup2"))


def create(group: PurePosixPath) -> tuple[Path, ...]:
    """Make the group in every hierarchy; the folders to write a process id into."""
    folders = []
    for hierarchy in hierarchies():
        folder = hierarchy
        for part in group.parts:
            parent, folder = folder, folder / part
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(parent, folder)
        folders.append(folder)
    return tuple(folders)


def processes(group: PurePosixPath) -> frozenset[int]:
    """All processes of the group and of those below it."""
    found: set[int] = set()
    for folder in _folders(group):
        for path, _, files in os.walk(folder):  # it passes over what ends while we look
            if "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    found.update(int(line) for line in Path(path, "cgroup.procs").read_text().split())
    return frozenset(found)


def memory_bytes(group: PurePosixPath) -> int:
    """Memory in use by the group, page cache included; 0 where no hierarchy counts it."""
    counters = (folder / name for folder in _folders(group) for name in MEMORY_FILES)
    return next((int(path.read_text()) for path in counters if path.exists()), 0)


def kill(group: PurePosixPath, deadline: float = 20) -> None:
    """SIGKILL to all of the group's processes until there is none."""
    end = time.monotonic() + deadline
    while alive := processes(group):
        if time.monotonic() > end:
            raise LabError(f"cgroup {group}: expected its processes to end, still there: {sorted(alive)[:5]}")
        for process in alive:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def remove(group: PurePosixPath, deadline: float = 20) -> None:
    """Remove the group, those below it, and parents that it leaves empty. Its memory may hold it for seconds."""
    end = time.monotonic() + deadline
    while folders := _folders(group):
        for folder in folders:
            for path, _, _ in os.walk(folder, topdown=False):
                _rmdir(Path(path))
        if time.monotonic() > end:
            raise LabError(f"cgroup {group}: expected to be removable, is busy: {', '.join(map(str, _folders(group)))}")
        time.sleep(0.05)
    for parent in group.parents:
        for folder in _folders(parent):
            if folder not in hierarchies():
                _rmdir(folder)


def leftovers(group: PurePosixPath) -> tuple[Path, ...]:
    """Folders of the group that still exist."""
    return _folders(group)


def _folders(group: PurePosixPath) -> tuple[Path, ...]:
    return tuple(folder for hierarchy in hierarchies() if (folder := hierarchy / group).is_dir())


def _rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # not empty, busy for a moment, or gone
        return


def _inherit_cpuset(parent: Path, folder: Path) -> None:
    """A v1 cpuset starts empty, and takes no process until it has CPUs and memory nodes."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        source, target = parent / name, folder / name
        if (folder / "cpuset.memory_pressure").exists() and not target.read_text().strip():
            target.write_text(source.read_text())
