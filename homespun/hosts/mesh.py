"""How a machine is on the mesh: a tailscaled in a network namespace of its own, behind one interface of the machine's.

Within that namespace tailscaled sets the rules, routes and chains that it always sets. So a tailnet client that the
machine's owner has is not disturbed, nor disturbs; and on the machine itself there is nothing but an interface, the
ways that `homespun.hosts.ways` lists, and one nftables table.

    machine:    homespun-mesh  ADDRESS/32        ways to other sites: via INSIDE
    namespace:  uplink         INSIDE/32         ways to this machine and its pods: via ADDRESS
                tailscale0                       ways to other sites, as their machines advertise them

Pods and nodes keep their addresses on the way: what a machine advertises is its pods' range and its own address.
"""

import json
from collections.abc import Mapping
from typing import Final

from homespun.hosts.cluster import Member, Mesh
from homespun.hosts.facts import Facts
from homespun.hosts.files import Artifact, File, binary, text, unit
from homespun.hosts.layout import PREFIX, ROOT, RUN

NAMESPACE: Final = "homespun-mesh"
INTERFACE: Final = "homespun-mesh"
UPLINK: Final = "uplink"
PORT: Final = 41642
"""UDP, of WireGuard. Not Tailscale's usual one, which a client of the owner's may have."""
TABLE: Final = "homespun-mesh"
STATE: Final = f"{ROOT}/mesh"
TAILSCALE_URL: Final = "https://controlplane.tailscale.com"
"""Of Tailscale's own control server (tailscale.com/ipn, DefaultControlURL)."""
SOCKET: Final = f"{RUN}/tailscaled.sock"
KEY: Final = f"{STATE}/key"
"""Holds the key while a machine joins, and nothing before and after: tailscaled reads it at each start."""
AUTHORITY: Final = f"{STATE}/authority.crt"
CONFIG: Final = f"{PREFIX}/etc/mesh/tailscaled.json"
SCRIPT: Final = f"{PREFIX}/etc/mesh/namespace"
RULES: Final = f"{PREFIX}/etc/mesh/mesh.nft"
NAMESPACE_UNIT: Final = "homespun-mesh.service"
TAILSCALED_UNIT: Final = "homespun-tailscaled.service"
CLI: Final = f"{PREFIX}/bin/tailscale --socket {SOCKET}"


BINARIES: Final = ("tailscale", "tailscaled")
UNITS: Final = (NAMESPACE_UNIT, TAILSCALED_UNIT)
"""In the order in which they start."""
MTU: Final = 1280
"""Of tailscale0, so of all pods of a cluster that has a mesh: none has to find out on the way."""


def files(member: Member, mesh: Mesh, facts: Facts, artifacts: Mapping[str, Artifact]) -> list[File]:
    """What makes a machine a member of the mesh, but for the key by which it joins."""
    return [
        *(binary(f"{PREFIX}/bin/{name}", artifacts[name], restarts=(TAILSCALED_UNIT,)) for name in BINARIES),
        text(RULES, mesh_rules(mesh), restarts=UNITS),
        text(SCRIPT, namespace_script(member, mesh), restarts=UNITS),
        text(CONFIG, tailscaled_config(member, mesh), restarts=(TAILSCALED_UNIT,)),
        unit(NAMESPACE_UNIT, NAMESPACE_SERVICE),
        unit(TAILSCALED_UNIT, tailscaled_service(mesh, facts.resolv_conf)),
    ]


def tailscaled_config(member: Member, mesh: Mesh) -> str:
    """tailscaled's configuration file, version alpha0 (tailscale.com/ipn, ConfigVAlpha)."""
    known = [f"{address}:{PORT}" for address in _known_addresses(member, mesh)]
    return (
        json.dumps(
            {
                "version": "alpha0",
                "locked": True,
                "serverURL": mesh.control_url,
                "authKey": f"file:{KEY}",
                "hostname": member.name,
                "acceptDNS": False,
                "acceptRoutes": True,
                "advertiseRoutes": [f"{member.address}/32", str(member.pods)],
                "disableSNAT": True,
                "noStatefulFiltering": True,
                **({"staticEndpoints": known} if known else {}),  # tailscaled 1.102 panics at an empty list
            },
            indent=2,
        )
        + "\n"
    )


def _known_addresses(member: Member, mesh: Mesh) -> list[str]:
    """Where it may be reached directly, beside where tailscaled finds out that it can be."""
    found = [str(member.lan) if member.lan else "", mesh.control_address if mesh.is_served_by(member) else ""]
    return [*dict.fromkeys(filter(None, found))]


def namespace_script(member: Member, mesh: Mesh) -> str:
    """Makes what is missing of the namespace and its cable; run again, it changes nothing."""
    within, out = f"ip -n {NAMESPACE}", member.address
    return f"""\
#!/bin/sh
set -eu
umask 077
mkdir -p {STATE}
[ -e {KEY} ] || : >{KEY}
[ -e /run/netns/{NAMESPACE} ] || ip netns add {NAMESPACE}
ip link show {INTERFACE} >/dev/null 2>&1 ||
    ip link add {INTERFACE} type veth peer name {UPLINK} netns {NAMESPACE}
ip address replace {out}/32 dev {INTERFACE}
ip link set {INTERFACE} up
{way_inside(member, mesh)}
{within} link set lo up
{within} address replace {mesh.inside}/32 dev {UPLINK}
{within} link set {UPLINK} up
{within} route replace {out} dev {UPLINK} scope link
{within} route replace default via {out} dev {UPLINK}
{within} route replace {member.pods} via {out} dev {UPLINK}
nsenter --net=/run/netns/{NAMESPACE} sysctl -qw net.ipv4.ip_forward=1
nft -f {RULES}
"""


def way_inside(member: Member, mesh: Mesh) -> str:
    """The command that sets the machine's way to tailscaled."""
    return f"ip route replace {mesh.inside} dev {INTERFACE} scope link src {member.address}"


def mesh_rules(mesh: Mesh) -> str:
    """nftables: tailscaled leaves under its machine's address, and is found at its port there."""
    return f"""\
table ip {TABLE}
delete table ip {TABLE}
table ip {TABLE} {{
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname != "{INTERFACE}" fib daddr type local udp dport {PORT} dnat to {mesh.inside}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {mesh.inside} oifname != "{INTERFACE}" masquerade
    }}
}}
"""


NAMESPACE_SERVICE: Final = f"""\
[Unit]
Description=Network namespace of Homespun's mesh
After=network-pre.target nftables.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {SCRIPT}
ExecStopPost=-/usr/sbin/ip netns delete {NAMESPACE}
ExecStopPost=-/usr/sbin/ip link delete {INTERFACE}
ExecStopPost=-/usr/sbin/nft delete table ip {TABLE}
[Install]
WantedBy=multi-user.target
"""


def tailscaled_service(mesh: Mesh, resolv_conf: str) -> str:
    """The unit. Names are looked up at the machine's real DNS servers: a stub on loopback is not in the namespace."""
    authority = f"Environment=SSL_CERT_FILE={AUTHORITY}\n" if mesh.authority else ""
    return f"""\
[Unit]
Description=Mesh of Homespun
Requires={NAMESPACE_UNIT}
After={NAMESPACE_UNIT} network-online.target
Wants=network-online.target
StartLimitIntervalSec=0
[Service]
NetworkNamespacePath=/run/netns/{NAMESPACE}
BindReadOnlyPaths={resolv_conf}:/etc/resolv.conf
Environment=TS_NO_LOGS_NO_SUPPORT=true
# Without it tailscaled makes /var/lib/tailscale (logpolicy.LogsDir), which is its owner's.
Environment=TS_LOGS_DIR={STATE}
{authority}ExecStart={PREFIX}/bin/tailscaled --config={CONFIG} --statedir={STATE} --socket={SOCKET} --port={PORT}
Slice=homespun.slice
Restart=always
RestartSec=2
[Install]
WantedBy=multi-user.target
"""
