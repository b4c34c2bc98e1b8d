"""`make up`: from whatever there is to a whole base stack; a second one changes nothing."""

import os
import sys
import time
from pathlib import Path

from cli import doctor
from cli.errors import CommandFailed
from cli.project import Project
from homespun import places
from stacks import program, progress, settings
from stacks.machines import cgroups, nspawn, rootfs
from stacks.machines.network import Network
from stacks.settings import BaseSettings
from tools.pulumi.install import install

LOG = "log/pulumi.log"
STAGES = ("machine", "host", "cluster")


def up(stack: str) -> None:
    """Bring the base stack up and say what it took. Raises CommandFailed, SettingsError, LabError, ToolError."""
    started = time.monotonic()
    found = settings.load(f"{stack}-base")
    if stands_in_the_way := doctor.obstacles(found):
        raise CommandFailed("\n".join(stands_in_the_way))
    places.state().mkdir(parents=True, exist_ok=True)
    progress.clear()
    machine = machine_of(found)
    woken = nspawn.exists(machine) and nspawn.start(machine)
    project = Project(f"{stack}-base", install(lambda what, percent: _line(f"pulumi {what} {percent}%")))
    project.prepare()
    times = _run(project)
    kubeconfig = _write_kubeconfig(project, stack)
    _line("")
    parts = [f"{name} {times[name]:.0f}s" if name in times else f"{name} unchanged" for name in STAGES]
    if woken:
        parts[0] = "machine started"
    print(" · ".join([*parts, f"all {time.monotonic() - started:.0f}s"]))
    print(f"uses   {memory_bytes(machine) / 2**30:.1f} GB RAM, {disk_bytes(machine.home) / 2**30:.1f} GB disk")
    print(f"next   export KUBECONFIG={kubeconfig}    make down")


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


def _run(project: Project) -> dict[str, float]:
    """`pulumi up`, its resources' progress on one line; the seconds of each stage that had something to do."""
    log = places.state() / LOG
    times: dict[str, float] = {}
    position = 0
    process = project.start("up", log)
    while True:
        over = process.poll() is not None
        events, position = progress.read(position)
        for event in events:
            if event.seconds is None:
                _line(f"{event.stage}  {event.what}")
            else:
                times[event.stage] = event.seconds
        if over:
            break
        time.sleep(0.1)
    if process.returncode:
        raise CommandFailed(f"{diagnostics(log.read_text())}\n(all of it: {log}; `make up` goes on from here)")
    return times


def diagnostics(log: str) -> str:
    """What `pulumi up` complains of, out of all that it prints."""
    _, found, tail = log.partition("\nDiagnostics:\n")
    text = tail.split("\nResources:\n")[0] if found else "\n".join(log.splitlines()[-15:])
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _write_kubeconfig(project: Project, stack: str) -> Path:
    path = places.state() / f"kubeconfigs/{stack}"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(project.outputs()["kubeconfig"])
    return path


def _line(text: str) -> None:
    """Progress: rewritten in place on a terminal, a line each in a log."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
