"""How the first site's machines see the claim `data`: a folder of the first one's, mounted by the others over SSH.

NFS would want the kernel's server, which a machine's owner may use; here both ends are processes of ours (sshd and
sshfs), with keys of their own, at a port of their own. The server shows that one folder, as the user that pods run as,
whom no /etc knows but its own. Others mount it where the first one has it: one volume is right on all of them. So long
as it is not mounted the folder is not there, and pods wait.
"""

import shlex
from typing import Final

from homespun.hosts.cluster import Cluster
from homespun.hosts.errors import CommandError
from homespun.hosts.files import File, text, unit
from homespun.hosts.layout import DATA, POD_USER, PREFIX, ROOT, RUN, VOLUMES
from homespun.hosts.ssh import KEY_TYPE, Connection, known_host

PORT: Final = 6445
USER: Final = "homespun"
PACKAGES: Final = ("sshfs",)
HOLDS: Final = "homespun.dev/claims"
"""A label of the first node's, which has the claims' folders."""
SEES: Final = "homespun.dev/data"
"""A label of the nodes that see the claim `data`, the first one among them: each with its own name."""
SERVER_UNIT: Final = "homespun-share.service"
CLIENT_UNIT: Final = "homespun-shared.service"
FOLDER: Final = f"{ROOT}/share"
HOST_KEY: Final = f"{FOLDER}/host"
ADMITTED: Final = f"{FOLDER}/admitted"
"""The keys of those who may mount it, each with its node's name."""
KEY: Final = f"{FOLDER}/key"
SERVER_KEY: Final = f"{FOLDER}/known_hosts"
CONFIG: Final = f"{PREFIX}/etc/share/sshd"
ETC: Final = f"{PREFIX}/etc/share/etc"
"""What the server's processes have as /etc. A file alone that is mounted there would be lost at the owner's next
`useradd`, which puts another in its place."""
FOLDERS: Final = (f"{PREFIX}/etc/share", ETC)
SHOWN: Final = f"{RUN}/share"
"""What a session has as its root."""
MOUNT_SECONDS: Final = 30


def server_files(cluster: Cluster) -> list[File]:
    """What makes the first machine show its folder."""
    users = {"passwd": USERS, "group": f"{USER}:x:{POD_USER}:\n", "nsswitch.conf": "passwd: files\ngroup: files\n"}
    return [
        text(CONFIG, server_config(cluster), restarts=(SERVER_UNIT,)),
        *(text(f"{ETC}/{name}", content, restarts=(SERVER_UNIT,)) for name, content in users.items()),
        unit(SERVER_UNIT, SERVER_SERVICE),
    ]


def client_files(cluster: Cluster) -> list[File]:
    """What has another machine mount it, once it is admitted."""
    return [unit(CLIENT_UNIT, client_service(cluster))]


def admit(machine: Connection, server: Connection, node: str, cluster: Cluster) -> None:
    """Let a machine mount the folder, and wait until it has. Raises UnreachableError, CommandError."""
    key = machine.run(f"umask 077 && mkdir -p {FOLDER} && {{ {_made(KEY)}; }} && cat {KEY}.pub")
    line = f"restrict {' '.join(key.split()[:2])} {node}\n"
    server.run(_alone(f"{_without(node)} && cat >> {ADMITTED}"), input=line)
    shown = " ".join(server.run(f"cat {HOST_KEY}.pub").split()[:2])
    machine.write(SERVER_KEY, known_host(cluster.endpoint_address, PORT, shown))
    waited = f"timeout {MOUNT_SECONDS} sh -c 'until mountpoint -q {VOLUMES} && [ -d {DATA} ]; do sleep 0.2; done'"
    try:
        machine.run(f"systemctl restart {CLIENT_UNIT} && {waited}")
    except CommandError:
        said = machine.run(f"journalctl --unit {CLIENT_UNIT} --no-pager --lines 10 --output cat")
        raise CommandError(
            f"{machine.address}: expected to mount the claim `data` from {cluster.endpoint_address}:{PORT} within"
            f" {MOUNT_SECONDS} s, sshfs said:\n{said}"
        ) from None


def admitted(machine: Connection, server: Connection, node: str) -> bool:
    """Whether the machine may mount the folder, and knows whom to ask. Raises UnreachableError, CommandError."""
    key = machine.run(f"[ -s {SERVER_KEY} ] && cat {KEY}.pub 2>/dev/null || true").split()[:2]
    lines = server.run(f"cat {ADMITTED} 2>/dev/null || true").splitlines()
    return bool(key) and ["restrict", *key, node] in [line.split() for line in lines]


def dismiss(server: Connection, node: str) -> None:
    """Let it mount the folder no more. Raises UnreachableError, CommandError."""
    server.run(_alone(_without(node)))


def end_sessions(server: Connection) -> None:
    """All of them: those who are admitted connect again. Raises UnreachableError, CommandError."""
    server.run(f"systemctl try-restart {SERVER_UNIT}")


def leave(machine: Connection) -> None:
    """Unmount, and forget the key. Raises UnreachableError, CommandError."""
    machine.run(f"systemctl stop {CLIENT_UNIT}; rm -rf {FOLDER}")


def _made(key: str) -> str:
    """The command that makes a key pair where there is no whole one."""
    return f'[ -s {key}.pub ] || {{ rm -f {key} {key}.pub && ssh-keygen -q -t {KEY_TYPE} -N "" -f {key}; }}'


def _without(node: str) -> str:
    return f"touch {ADMITTED} && sed -i '/ {node}$/d' {ADMITTED}"


def _alone(command: str) -> str:
    """As a shell command while nobody else is at the list: machines join side by side."""
    return f"mkdir -p {FOLDER} && flock {FOLDER}/lock sh -c {shlex.quote(command)}"


def server_config(cluster: Cluster) -> str:
    """sshd's configuration (sshd_config(5)): one user, by key, to one folder, by SFTP."""
    return f"""\
ListenAddress {cluster.endpoint_address}:{PORT}
HostKey {HOST_KEY}
AuthorizedKeysFile {ADMITTED}
AllowUsers {USER}
AuthenticationMethods publickey
KbdInteractiveAuthentication no
PasswordAuthentication no
PermitRootLogin no
UsePAM no
UseDNS no
DisableForwarding yes
PermitTTY no
PermitUserRC no
PidFile none
LogLevel ERROR
ClientAliveInterval 15
ChrootDirectory {SHOWN}
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


USERS: Final = f"""\
root:x:0:0:root:/root:/bin/sh
sshd:x:74:65534::/run/sshd:/usr/sbin/nologin
{USER}:x:{POD_USER}:{POD_USER}::/:/bin/sh
"""
"""Of these `sshd` is whom the server is before it knows who asks."""
SERVER_SERVICE: Final = f"""\
[Unit]
Description=Shows the claim `data` to Homespun's other machines
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'mkdir -p {FOLDER} && touch {ADMITTED} && {{ {_made(HOST_KEY)}; }}'
# As a kubelet would have it of a claim that pods write to; one elsewhere may not.
ExecStartPre=/bin/sh -c 'chgrp {POD_USER} {DATA} && chmod 2775 {DATA}'
ExecStart=/usr/sbin/sshd -D -e -f {CONFIG}
BindPaths={DATA}:{SHOWN}/data
BindReadOnlyPaths={ETC}:/etc
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
Slice=homespun.slice
Restart=always
RestartSec=2
[Install]
WantedBy=multi-user.target
"""


def client_service(cluster: Cluster) -> str:
    """The unit. A server that does not answer costs an error, not a wait without end; it is asked again then."""
    options = {
        "IdentityFile": KEY,
        "UserKnownHostsFile": SERVER_KEY,
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "5",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
    }
    # What another machine wrote is seen at once.
    mounted = "allow_other,default_permissions,reconnect,dir_cache=no,entry_timeout=0,attr_timeout=0"
    words = ",".join(f"{name}={value}" for name, value in options.items())
    # Pods would write into it whenever the other is not mounted.
    own = f"{DATA}: expected none where that of the first machine is mounted, found one; move it away"
    return f"""\
[Unit]
Description=Mounts the claim `data` of Homespun's first machine
Wants=network-online.target
After=network-online.target
ConditionPathExists={SERVER_KEY}
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c '[ ! -e {DATA} ] || {{ echo "{own}" >&2; exit 1; }}'
ExecStartPre=/bin/mkdir -p {VOLUMES}
ExecStart=/usr/bin/sshfs -f -p {PORT} -F /dev/null -o {mounted},{words} {USER}@{cluster.endpoint_address}:/ {VOLUMES}
# Told to end by a signal, it says that it failed.
ExecStop=-/bin/umount --lazy {VOLUMES}
ExecStopPost=-/bin/umount --lazy {VOLUMES}
ExecStopPost=-/bin/rmdir {VOLUMES}
TimeoutStopSec=10
Slice=homespun.slice
Restart=always
RestartSec=5
[Install]
WantedBy=multi-user.target
"""
