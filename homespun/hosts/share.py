"""How the first site's machines see the claim `data`: a folder of the first one's, mounted by the others over SSH.

NFS would want the kernel's server, which a machine's owner may use; here both ends are processes of ours (sshd and
sshfs), with keys of their own, at a port of their own. The server shows that one folder, as the user that pods run as,
whom no /etc/passwd knows but its own. Others mount it where the first one has it: one volume is right on all of them.
So long as it is not mounted the folder is not there, and pods wait.
"""

import shlex
from typing import Final

from homespun.hosts.cluster import Cluster
from homespun.hosts.files import File, text, unit
from homespun.hosts.layout import DATA, POD_USER, PREFIX, ROOT, RUN, VOLUMES
from homespun.hosts.ssh import KEY_TYPE, Connection, known_host

PORT: Final = 6445
USER: Final = "homespun"
PACKAGES: Final = ("sshfs",)
LABEL: Final = "homespun.dev/data"
"""Of a node: whether it has the folder, or mounts it."""
HERE: Final = "here"
MOUNTED: Final = "mounted"
SERVER_UNIT: Final = "homespun-share.service"
CLIENT_UNIT: Final = "homespun-shared.service"
FOLDER: Final = f"{ROOT}/share"
HOST_KEY: Final = f"{FOLDER}/host"
ADMITTED: Final = f"{FOLDER}/admitted"
"""The keys of those who may mount it, each with its node's name."""
KEY: Final = f"{FOLDER}/key"
SERVER_KEY: Final = f"{FOLDER}/known_hosts"
CONFIG: Final = f"{PREFIX}/etc/share/sshd"
PASSWD: Final = f"{PREFIX}/etc/share/passwd"
SHOWN: Final = f"{RUN}/share"
"""What the server's processes have as their root."""


def server_files(cluster: Cluster) -> list[File]:
    """What makes the first machine show its folder."""
    return [
        text(CONFIG, server_config(cluster), restarts=(SERVER_UNIT,)),
        text(PASSWD, USERS, restarts=(SERVER_UNIT,)),
        unit(SERVER_UNIT, SERVER_SERVICE),
    ]


def client_files(cluster: Cluster) -> list[File]:
    """What has another machine mount it, once it is admitted."""
    return [unit(CLIENT_UNIT, client_service(cluster))]


def admit(machine: Connection, server: Connection, node: str, cluster: Cluster) -> None:
    """Let a machine mount the folder, and wait until it has. Raises UnreachableError, CommandError."""
    key = machine.run(
        f"umask 077 && mkdir -p {FOLDER} && {{ [ -e {KEY}.pub ] ||"
        f" ssh-keygen -q -t {KEY_TYPE} -N '' -C {shlex.quote(node)} -f {KEY}; }} && cat {KEY}.pub"
    )
    dismiss(server, node)
    server.run(f"cat >> {ADMITTED}", input=f"restrict {' '.join(key.split()[:2])} {node}\n")
    shown = " ".join(server.run(f"cat {HOST_KEY}.pub").split()[:2])
    machine.write(SERVER_KEY, known_host(cluster.endpoint_address, PORT, shown))
    machine.run(f"systemctl restart {CLIENT_UNIT} && timeout 30 sh -c 'until [ -d {DATA} ]; do sleep 0.2; done'")


def admitted(server: Connection, node: str) -> bool:
    """Whether a machine may mount the folder. Raises UnreachableError, CommandError."""
    return server.run(f"grep -c ' {node}$' {ADMITTED} 2>/dev/null || true").strip() not in ("", "0")


def dismiss(server: Connection, node: str) -> None:
    """Let it mount the folder no more. Raises UnreachableError, CommandError."""
    server.run(f"touch {ADMITTED} && sed -i '/ {node}$/d' {ADMITTED}")


def leave(machine: Connection) -> None:
    """Unmount, and forget the key. Raises UnreachableError, CommandError."""
    machine.run(f"systemctl stop {CLIENT_UNIT}; rm -rf {FOLDER}")


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
"""What sshd takes for /etc/passwd. `sshd` is whom it is before it knows who asks."""

MAKE_KEY: Final = f'[ -e {HOST_KEY} ] || ssh-keygen -q -t {KEY_TYPE} -N "" -f {HOST_KEY}'
SERVER_SERVICE: Final = f"""\
[Unit]
Description=Shows the claim `data` to Homespun's other machines
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'mkdir -p {FOLDER} && touch {ADMITTED} && {{ {MAKE_KEY}; }}'
ExecStart=/usr/sbin/sshd -D -e -f {CONFIG}
BindPaths={DATA}:{SHOWN}/data
BindReadOnlyPaths={PASSWD}:/etc/passwd
# Its cache of users would answer in place of that file.
InaccessiblePaths=-/run/nscd
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
    mounted = "allow_other,default_permissions,reconnect,dir_cache=no,auto_cache,entry_timeout=0,attr_timeout=0"
    words = ",".join(f"{name}={value}" for name, value in options.items())
    return f"""\
[Unit]
Description=Mounts the claim `data` of Homespun's first machine
Wants=network-online.target
After=network-online.target
Before=kubelet.service
ConditionPathExists={SERVER_KEY}
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/mkdir -p {VOLUMES}
ExecStart=/usr/bin/sshfs -f -p {PORT} -F /dev/null -o {mounted},{words} {USER}@{cluster.endpoint_address}:/ {VOLUMES}
ExecStopPost=-/bin/umount --lazy {VOLUMES}
ExecStopPost=-/bin/rmdir {VOLUMES}
Slice=homespun.slice
Restart=always
RestartSec=5
[Install]
WantedBy=multi-user.target
"""
