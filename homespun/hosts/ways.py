"""How a machine finds pods and nodes on other machines: routes, held against whoever takes them away.

They are in a table of our own, asked before the machine's and before that of a tailnet client of its owner's (5210 and
on). Who does not ask it is our own tailscaled: what it sends is the mesh, and goes as the machine itself would.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from homespun.hosts import mesh
from homespun.hosts.cluster import Member, Mesh
from homespun.hosts.files import File, text, unit
from homespun.hosts.layout import PREFIX

TABLE: Final = 5119
"""The number of our routing table, and the priority of the rule that leads to it (`ip route show table 5119`)."""
HELD_SECONDS: Final = 30
"""How long a route that somebody took away (a network daemon that starts again) may be missing."""
SCRIPT: Final = f"{PREFIX}/etc/ways"
SERVICE: Final = "homespun-ways.service"
TIMER: Final = "homespun-ways.timer"


@dataclass(frozen=True)
class Way:
    """A route: where to, and by whom."""

    destination: IPv4Network
    via: IPv4Address
    source: IPv4Address | None = None
    """Under which address this machine itself goes there; None: as the kernel chooses."""


def ways(member: Member, others: Iterable[Member], joined: Mesh | None) -> tuple[Way, ...]:
    """From a machine to the pods and nodes of the others: over the LAN within a site first, then over the mesh."""
    nearest_first = sorted(others, key=lambda other: other.site != member.site)
    return tuple(way for other in nearest_first for way in _to(member, other, joined))


def _to(member: Member, other: Member, joined: Mesh | None) -> Iterator[Way]:
    if other.site == member.site and other.lan:
        yield Way(other.pods, other.lan)
        if other.address != other.lan:
            yield Way(IPv4Network(other.address), other.lan)
    elif joined:
        yield Way(other.pods, joined.inside, member.address)
        yield Way(IPv4Network(other.address), joined.inside, member.address)


def files(member: Member, others: Iterable[Member], joined: Mesh | None) -> list[File]:
    """The script, and what runs it: at boot, and again and again."""
    return [
        text(SCRIPT, script(member, others, joined), restarts=(TIMER,)),
        unit(SERVICE, SERVICE_UNIT),
        unit(TIMER, TIMER_UNIT),
    ]


def script(member: Member, others: Iterable[Member], joined: Mesh | None) -> str:
    """Sets each way; one that can't be set (there is no mesh yet) keeps no other from it.

    None is taken away: a machine that leaves is reached until it has left, and one that comes takes its place.
    """
    rule = f"{f'not from {joined.inside}' if joined else 'from all'} lookup {TABLE}"
    commands = [
        *([mesh.way_inside(member, joined)] if joined else []),
        *(f"ip route replace {_words(way)} table {TABLE}" for way in ways(member, others, joined)),
    ]
    return f"""\
#!/bin/sh
failed=0
ip rule show priority {TABLE} | grep -q '{rule}' || {{
    while ip rule delete priority {TABLE} 2>/dev/null; do :; done
    ip rule add {rule} priority {TABLE} || failed=1
}}
{"".join(f"{command} || failed=1{chr(10)}" for command in commands)}exit $failed
"""


def _words(way: Way) -> str:
    source = f" src {way.source}" if way.source else ""
    return f"{_shown(way.destination)} via {way.via}{source}"


def _shown(destination: IPv4Network) -> str:
    """As `ip route` prints it."""
    return str(destination.network_address if destination.prefixlen == 32 else destination)


SERVICE_UNIT: Final = f"""\
[Unit]
Description=Ways to the pods and nodes of Homespun on other machines
Wants=network-online.target
After=network-online.target {mesh.NAMESPACE_UNIT}
[Service]
Type=oneshot
ExecStart=/bin/sh {SCRIPT}
# Each half a minute: not a word of it in the journal, unless it fails.
LogLevelMax=warning
"""
TIMER_UNIT: Final = f"""\
[Unit]
Description=Ways to the pods and nodes of Homespun on other machines, held
[Timer]
OnActiveSec=0
OnUnitActiveSec={HELD_SECONDS}
AccuracySec=5
[Install]
WantedBy=timers.target
"""
