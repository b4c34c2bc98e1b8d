"""That a machine tells how it reaches those of other sites, for the page and for `kubectl describe node`."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from homespun.hosts import mesh
from homespun.hosts.cluster import API_PORT, Cluster, Member
from homespun.hosts.files import File, text, unit
from homespun.hosts.layout import PREFIX
from homespun.hosts.programs import paths

PROGRAM: Final = f"{PREFIX}/etc/mesh/paths.py"
UNIT: Final = "homespun-paths.service"


def files(member: Member, others: Iterable[Member], cluster: Cluster) -> list[File]:
    """The program, and what runs it."""
    source = Path(paths.__file__).read_text()
    return [text(PROGRAM, source, restarts=(UNIT,)), unit(UNIT, service(member, others, cluster))]


def service(member: Member, others: Iterable[Member], cluster: Cluster) -> str:
    """The unit. Until the machine is a node, nobody hears what it says; when it stops, nothing is said any more."""
    elsewhere = [other.name for other in others if other.site != member.site]
    server = f"https://{cluster.endpoint}:{API_PORT}"
    given = ["--node", member.name, "--server", server, "--tailscale", mesh.CLI]
    return f"""\
[Unit]
Description=Tells how this machine reaches others over Homespun's mesh
After={mesh.TAILSCALED_UNIT}
[Service]
ExecStart=/usr/bin/python3 {PROGRAM} {shlex.join([*given, *elsewhere])}
ExecStopPost=-/usr/bin/python3 {PROGRAM} {shlex.join(given)}
Slice=homespun.slice
Restart=always
RestartSec=10
[Install]
WantedBy=multi-user.target
"""
