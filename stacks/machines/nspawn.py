"""Lab machines: Debian under systemd-nspawn, with systemd, sshd and a network of their own, on this box.

A machine is a folder; whether it runs is another matter: `start` is idempotent, and after a reboot of the box it is
all that is needed. Its root is an overlay over the cached root file system, mounted in a mount namespace of its own,
so nothing is ever mounted on the box; its /var is a plain folder, since a container runtime can't have its overlays on
an overlay. All its processes are in one cgroup, which is also how they are found: there are no pid files.

    <state>/labs/<lab>/ssh/         the key that opens its machines, and their pinned host keys
    <state>/labs/<lab>/<machine>/   lower, upper, work, root, var, console.log, network.json
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Final

from homespun.hosts.ssh import Connection
from stacks.machines import cgroups, network
from stacks.machines.errors import LabError
from stacks.machines.network import Network
from tools import debian

POWER_OFF: Final = signal.SIGRTMIN + 4  # systemd(1): start poweroff.target
BOOT_SECONDS: Final = 60
DEVICES: Final = ("/dev/kmsg", "/dev/net/tun", "/dev/fuse")
"""Of the box, which a kubelet, tailscaled and sshfs want."""
NETWORK_FILE: Final = "network.json"
"""In a machine's folder: the network that it was made on."""
NSPAWN_RUNTIME: Final = ("/run/systemd/nspawn/propagate", "/run/systemd/nspawn/unix-export")

LAUNCH: Final = """\
set -e
folder=$1
for group in $HOMESPUN_CGROUPS; do echo $$ >"$group/cgroup.procs"; done
unset HOMESPUN_CGROUPS
mount -t overlay overlay -o "lowerdir=$folder/lower,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
shift
exec "$@"
"""


@dataclass(frozen=True)
class Machine:
    """One machine of a lab."""

    network: Network
    folder: Path
    """The lab's."""
    name: str
    address: IPv4Address
    rootfs: Path

    @property
    def home(self) -> Path:
        """Its folder, a child of the lab's."""
        return self.folder / self.name

    @property
    def unique_name(self) -> str:
        """Its name among all labs' machines on this box."""
        return f"{self.network.lab}-{self.name}"

    @property
    def cgroup(self) -> PurePosixPath:
        """The cgroup of all its processes, in each hierarchy."""
        return PurePosixPath("homespun", self.network.lab, self.name)

    @property
    def connection(self) -> Connection:
        """How it is reached: by the lab's key, with its pinned host key."""
        keys = self.folder / "ssh"
        return Connection(str(self.address), "root", str(keys / "id_ed25519"), str(keys / "known_hosts"))


def create(machine: Machine) -> None:
    """Make the machine's folder and keys. One that was half made is made anew; a whole one is left alone."""
    if exists(machine):
        return
    if cgroups.processes(machine.cgroup):
        raise LabError(f"lab machine {machine.unique_name} runs, but {machine.home} is not its folder: `make down`")
    shutil.rmtree(machine.home, ignore_errors=True)
    for folder in ("upper", "work", "root"):
        (machine.home / folder).mkdir(parents=True)
    network.record(machine.network, machine.home / NETWORK_FILE)
    _copy(machine.rootfs, machine.home / "lower")
    subprocess.run(["cp", "-a", machine.rootfs / "var", machine.home / "var"], check=True)
    for path, (content, mode) in _files(machine).items():
        target = machine.home / "upper" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        target.chmod(mode)
    (machine.home / ".complete").touch()


def exists(machine: Machine) -> bool:
    """Whether the machine was made, and made whole."""
    return (machine.home / ".complete").exists()


def start(machine: Machine) -> bool:
    """Have it run and answer SSH; whether it had to be started. Raises LabError with the end of its console."""
    with _alone(machine.folder):
        network.up(machine.network)
    if leader(machine) is not None:
        machine.connection.wait(BOOT_SECONDS)
        return False
    cgroups.kill(machine.cgroup)  # what a killed nspawn left behind
    network.unplug(machine.unique_name)
    _forget_runtime(machine)
    console = machine.home / "console.log"
    with console.open("wb") as out:
        process = subprocess.Popen(
            _command(machine), env=_environment(machine), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    end = time.monotonic() + BOOT_SECONDS
    while True:
        try:
            machine.connection.wait(0)
            machine.connection.run("systemctl is-system-running --wait || true", timeout=BOOT_SECONDS)
            return True
        except Exception as error:
            if process.poll() is not None or time.monotonic() > end:
                tail = "\n".join(console.read_text(errors="replace").splitlines()[-12:])
                raise LabError(f"lab machine {machine.unique_name} did not boot: {error}\n{console}:\n{tail}") from None
            time.sleep(0.1)


def known(folder: Path, otherwise: Machine) -> list[Machine]:
    """The lab's machines as they were made, whatever its settings say by now; `otherwise` is one as they have it."""
    return [
        replace(otherwise, name=name, network=network.recorded(folder / name / NETWORK_FILE) or otherwise.network)
        for name in machines(folder)
    ]


def leader(machine: Machine) -> int | None:
    """The process that is PID 1 inside, if it runs."""
    for process in cgroups.processes(machine.cgroup):
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        inside = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
        if len(inside) == 2 and inside[1] == "1":
            return process
    return None


def stop(machine: Machine, grace: float = 20) -> None:
    """Power it off; after `grace` seconds pull the plug."""
    first = leader(machine)
    if first is not None:
        os.kill(first, POWER_OFF)
        end = time.monotonic() + grace
        while cgroups.processes(machine.cgroup) and time.monotonic() < end:
            time.sleep(0.1)
    cgroups.kill(machine.cgroup)
    network.unplug(machine.unique_name)
    cgroups.remove(machine.cgroup)
    _forget_runtime(machine)


def _forget_runtime(machine: Machine) -> None:
    """nspawn itself removes no leftovers of its own where /run is on a disk, and does not start."""
    for folder in NSPAWN_RUNTIME:
        shutil.rmtree(Path(folder) / machine.unique_name, ignore_errors=True)


def destroy(machine: Machine) -> None:
    """Pull the plug and remove the machine with its data; its network too, if it was the lab's last."""
    stop(machine, grace=0)
    shutil.rmtree(machine.home, ignore_errors=True)
    _lock_file(machine).unlink(missing_ok=True)
    with _alone(machine.folder):
        if not network.plugged(machine.network):  # the next start of one that is off makes it anew
            network.down(machine.network)
        if not machines(machine.folder):
            shutil.rmtree(machine.folder, ignore_errors=True)


def machines(folder: Path) -> list[str]:
    """Names of the lab's machines, half-made ones too."""
    return sorted(path.name for path in folder.glob("*") if path.name != "ssh" and path.is_dir())


def check_leftovers(machine: Machine) -> list[str]:
    """What is left of the machine and its lab on this box: processes, cgroups, mounts, files."""
    found = [f"cgroup {folder}" for folder in cgroups.leftovers(PurePosixPath("homespun", machine.network.lab))]
    found += [f"process {process}: {words}" for process, words in _processes_that_name(str(machine.folder))]
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    found += [f"mount {line}" for line in mounts if str(machine.folder) in line]
    found += [
        f"{folder}/{machine.unique_name}" for folder in NSPAWN_RUNTIME if (Path(folder) / machine.unique_name).exists()
    ]
    return found + ([f"folder {machine.folder}"] if machine.folder.exists() else [])


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within, nobody else is at what a lab's machines share: its keys, its network. They are made side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _copy(rootfs: Path, target: Path) -> None:
    """The machine's own copy, so that the cache may be removed: hard links where they can be, since none is written."""
    if subprocess.run(["cp", "-a", "--link", rootfs, target], capture_output=True).returncode:
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", rootfs, target], check=True)


def _processes_that_name(words: str) -> list[tuple[int, str]]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words in line and int(path.parent.name) != os.getpid():
            found.append((int(path.parent.name), line.strip()[:120]))
    return found


def _lock_file(machine: Machine) -> Path:
    return machine.home / ".#root.lck"  # nspawn's


def _command(machine: Machine) -> list[str]:
    nspawn = [
        "systemd-nspawn", "--quiet", f"--directory={machine.home}/root", f"--machine={machine.unique_name}",
        f"--hostname={machine.name}", "--register=no", "--keep-unit", "--boot", "--console=pipe",
        f"--network-bridge={machine.network.bridge}", "--capability=all", "--private-users=no",
        "--link-journal=no", "--resolv-conf=off", "--timezone=off",
        *(f"--bind={device}" for device in DEVICES if Path(device).exists()), f"--bind={machine.home}/var:/var",
    ]  # fmt: skip
    script = ["sh", "-c", LAUNCH, "launch", str(machine.home), *nspawn]
    return ["unshare", "--mount", "--propagation", "private", *script]


def _environment(machine: Machine) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOMESPUN_CGROUPS": " ".join(str(folder) for folder in cgroups.create(machine.cgroup)),
        # /proc/sys/net is the machine's own; all other sysctls are the box's, and stay read-only.
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
        "SYSTEMD_SECCOMP": "0",  # nspawn's filter forbids what a container runtime needs
    }


def _files(machine: Machine) -> dict[str, tuple[str, int]]:
    """What tells this machine from another: path in it, content, mode."""
    host_key, host_public_key = _key_pair(machine.home / "host_key", machine.unique_name)
    with _alone(machine.folder):
        _, public_key = _key_pair(machine.folder / "ssh/id_ed25519", f"homespun-{machine.network.lab}")
        _pin(machine, host_public_key)
    gateway, prefix = machine.network.gateway, machine.network.range.prefixlen
    resolvers = "".join(f"nameserver {server}\n" for server in network.nameservers())
    unit = f"[Match]\nName=host0\n[Network]\nAddress={machine.address}/{prefix}\nGateway={gateway}\n"
    unit += "IgnoreCarrierLoss=yes\n"  # else networkd may give up on a cable that is in again at once
    return {
        "etc/apt/sources.list": (f"deb {debian.mirror()} {debian.SUITE} main\n", 0o644),
        "etc/hostname": (f"{machine.name}\n", 0o644),
        "etc/hosts": (f"127.0.0.1 localhost\n{machine.address} {machine.name}\n", 0o644),
        "etc/machine-id": (f"{secrets.token_hex(16)}\n", 0o444),
        "etc/resolv.conf": (resolvers, 0o644),
        "etc/systemd/network/10-host0.network": (unit, 0o644),
        "etc/ssh/ssh_host_ed25519_key": (host_key, 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (host_public_key, 0o644),
        "root/.ssh/authorized_keys": (public_key, 0o600),
    }


def _key_pair(path: Path, comment: str) -> tuple[str, str]:
    """Private and public key, made if they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    public = path.with_name(f"{path.name}.pub")
    if not public.exists():
        path.unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path.read_text(), public.read_text()


def _pin(machine: Machine, public_key: str) -> None:
    known_hosts = machine.folder / "ssh/known_hosts"
    lines = known_hosts.read_text().splitlines() if known_hosts.exists() else []
    others = [line for line in lines if line.split()[0] != str(machine.address)]
    known_hosts.write_text("\n".join([*others, f"{machine.address} {' '.join(public_key.split()[:2])}", ""]))
