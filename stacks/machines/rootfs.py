"""A lab machine's root file system: Debian by debootstrap, made once for its recipe and kept in the cache.

It is what a server looks like after its installer ran: systemd, sshd, Python, apt. The packages that Homespun wants on
any machine are in it already, so that a lab needs no mirror once it is cached.
"""

import fcntl
import hashlib
import inspect
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from homespun import places
from homespun.hosts import share, state
from tools.debian import SUITE, debootstrap
from tools.obtain import Progress

SERVER_PACKAGES: Final = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "procps", "kmod", "python3", "python3-apt",
    "ca-certificates",
)  # fmt: skip

PACKAGES: Final = (*SERVER_PACKAGES, *state.PACKAGES, *share.PACKAGES)
PREPARE: Final = """\
#!/bin/sh
# What the hypervisor of a virtual machine would do, done by the container itself, first thing at boot.
set -eu
# A v1 cgroup hierarchy comes read-only; 'bind' changes this mount alone, a plain remount says busy.
while read -r _ mountpoint type options _; do
    case $type,$options in cgroup,ro,*) mount -o remount,bind,rw "$mountpoint" ;; esac
done </proc/self/mounts
# These are the box's own sysctls. The kubelet sets them: let it find the values that it wants.
mkdir -p /run/sysctls
while read -r name value; do
    echo "$value" >"/run/sysctls/${name##*/}"
    mount --bind "/run/sysctls/${name##*/}" "/proc/sys/$name"
done <<END
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
END
mount --make-rshared /    # what the kubelet mounts for a pod must be seen by the pod
"""
PREPARE_UNIT: Final = """\
[Unit]
Description=What a virtual machine's hypervisor would do
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/homespun-lab/prepare
[Install]
WantedBy=sysinit.target
"""


def recipe(also: Sequence[str] = ()) -> str:
    """Digest of all that decides what is in it."""
    parts = (SUITE, *PACKAGES, *also, PREPARE, PREPARE_UNIT, inspect.getsource(_finish))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def cached_path(also: Sequence[str] = ()) -> Path:
    return places.cache() / "rootfs" / f"debian-{SUITE}-{recipe(also)}"


def obtain(progress: Progress, also: Sequence[str] = ()) -> Path:
    """The root file system's folder, made if the cache has none; `also` are further packages.

    Raises ToolError with debootstrap's last lines.
    """
    target = cached_path(also)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two checkouts share the cache
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            debootstrap(partial, (*PACKAGES, *also), progress)
            _finish(partial)
            partial.rename(target)
    return target


def _finish(root: Path) -> None:
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()  # each machine gets its own
    for package in root.glob("var/cache/apt/archives/*.deb"):
        package.unlink()
    for index in root.glob("var/lib/apt/lists/*"):
        index.unlink() if index.is_file() else shutil.rmtree(index)
    (root / "etc/machine-id").write_text("uninitialized\n")
    (root / "etc/apt/sources.list").unlink()  # each machine gets one, with the mirror that the box uses then
    prepare = root / "usr/local/lib/homespun-lab/prepare"
    prepare.parent.mkdir(parents=True)
    prepare.write_text(PREPARE)
    prepare.chmod(0o755)
    units = root / "etc/systemd/system"
    (units / "homespun-lab.service").write_text(PREPARE_UNIT)
    _enable(units, "sysinit.target", "homespun-lab.service", units)
    _enable(units, "multi-user.target", "systemd-networkd.service", Path("/lib/systemd/system"))
    # Nothing of these makes sense without hardware of one's own.
    for unit in ("systemd-timesyncd.service", "systemd-udevd.service", "systemd-networkd-wait-online.service"):
        (units / unit).unlink(missing_ok=True)
        os.symlink("/dev/null", units / unit)


def _enable(units: Path, target: str, unit: str, folder: Path) -> None:
    wants = units / f"{target}.wants"
    wants.mkdir(parents=True, exist_ok=True)
    inside = Path("/etc/systemd/system") if folder == units else folder
    (wants / unit).symlink_to(inside / unit)
