"""That a rented machine does not outlive its cluster: the program that sees to it, and the key that it needs."""

import shlex
from pathlib import Path
from typing import Final

from homespun.hosts.programs import watchdog
from homespun.hosts.ssh import Connection

FOLDER: Final = "/var/lib/homespun-rented"
PROGRAM: Final = f"{FOLDER}/watchdog.py"
KEY: Final = f"{FOLDER}/key"
UNIT: Final = "homespun-watchdog.service"


def arm(machine: Connection, cluster: str, instance: str, minutes: int, key: str = "") -> None:
    """Have it destroy itself at the provider's URL `instance` once nobody answers at `cluster`, host:port, for so long.

    The key is written down if there is one; else the one that is there stays. Raises UnreachableError, CommandError.
    """
    if key:
        machine.write(KEY, key)
    machine.write(PROGRAM, Path(watchdog.__file__).read_text())
    machine.write(f"/etc/systemd/system/{UNIT}", service(cluster, instance, minutes))
    machine.run(f"systemctl daemon-reload && systemctl enable --quiet {UNIT} && systemctl restart {UNIT}")


def service(cluster: str, instance: str, minutes: int) -> str:
    """The unit. It counts anew after a boot."""
    arguments = ["--cluster", cluster, "--instance", instance, "--key", KEY, "--minutes", str(minutes)]
    return f"""\
[Unit]
Description=Ends the rental of this machine once it has lost its cluster
[Service]
ExecStart=/usr/bin/python3 {PROGRAM} {shlex.join(arguments)}
Restart=always
RestartSec=10
[Install]
WantedBy=multi-user.target
"""
