"""`make down`: all of a lab goes, however it is: half built, its API server dead, its Pulumi state lost."""

import contextlib
import os
import shutil
import sys
from pathlib import Path

from cli.errors import CommandFailed
from cli.measure import disk_bytes
from cli.project import Project
from cli.up import machine_of
from homespun import places
from stacks import settings
from stacks.machines import nspawn
from tools.obtain import ToolError
from tools.pulumi.install import install


def down(stack: str) -> None:
    """Take the lab down with its data, after a question. Raises CommandFailed where something stays."""
    machine = machine_of(settings.base(stack))
    if nspawn.machines(machine.folder) and not _sure(machine.folder):
        raise CommandFailed("nothing was touched")
    # The machines first, and not by Pulumi: this works whatever state that is in. Its resources live in them alone.
    for name in nspawn.machines(machine.folder) or [machine.name]:
        nspawn.destroy(nspawn.Machine(machine.network, machine.folder, name, machine.address, machine.rootfs))
    if left := nspawn.check_leftovers(machine):
        raise CommandFailed("expected nothing of the lab to stay, found:\n" + "\n".join(left))
    _forget([stack, f"{stack}-base"])
    (places.state() / f"kubeconfigs/{stack}").unlink(missing_ok=True)
    for name in ("log", "shell"):
        shutil.rmtree(places.state() / name, ignore_errors=True)
    for folder in (*places.state().glob("*"), places.state()):
        with contextlib.suppress(OSError):  # another lab's are not empty
            folder.rmdir()
    cache = places.cache()
    print(f"gone   lab {machine.network.lab}")
    print(f"kept   {cache} ({disk_bytes(cache) / 2**30:.1f} GB of downloads and builds; `make clean` removes it)")


def _sure(folder: Path) -> bool:
    if os.environ.get("YES") == "1":
        return True
    if not sys.stdin.isatty():
        raise CommandFailed(f"{folder} and all its data would go: say YES=1 if that is meant")
    size = disk_bytes(folder) / 2**30
    return input(f"{folder} and all its data ({size:.1f} GB) will go. Sure? [y/N] ").strip().lower() in ("y", "yes")


def _forget(stacks: list[str]) -> None:
    """Remove what Pulumi knows of them, and its folder with the last stack."""
    folder = places.state() / "pulumi"
    if not folder.exists():
        return
    try:
        installation = install(lambda what, percent: None)
        for stack in stacks:
            Project(stack, installation).forget()
    except ToolError as error:
        raise CommandFailed(f"the lab is gone, but Pulumi's record of it stays in {folder}: {error}") from error
    if not list(folder.glob(".pulumi/stacks/*/*.json")):
        shutil.rmtree(folder)
