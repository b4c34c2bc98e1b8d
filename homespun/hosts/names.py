"""Names by which other devices of a tailnet find the cluster: all that end with one domain lead to the first machine.

A CoreDNS of our own answers for them, where the tailnet's devices can ask it: in the network namespace of the machine's
tailscaled (`homespun.hosts.mesh`), where port 53 is nobody's. What comes to the machine's address in the tailnet on a
node port is passed on to the node.
"""

from collections.abc import Mapping
from typing import Final

from homespun.hosts import mesh
from homespun.hosts.cluster import NODE_PORTS, Member, Mesh
from homespun.hosts.files import Artifact, File, binary, text, unit
from homespun.hosts.layout import PREFIX, RUN

BINARY: Final = "coredns"
UNIT: Final = "homespun-names.service"
SCRIPT: Final = f"{PREFIX}/etc/mesh/names"
PORT: Final = 53
COREFILE: Final = f"{RUN}/Corefile"
TABLE: Final = "homespun-names"
KEPT_SECONDS: Final = 60
"""How long a device may keep an answer: the machine's address in the tailnet changes when it joins anew."""


def files(member: Member, joined: Mesh, artifacts: Mapping[str, Artifact]) -> list[File]:
    """What answers for the names."""
    return [
        binary(f"{PREFIX}/bin/{BINARY}", artifacts[BINARY], restarts=(UNIT,)),
        text(SCRIPT, script(member, joined), restarts=(UNIT,)),
        unit(UNIT, SERVICE),
    ]


def script(member: Member, joined: Mesh) -> str:
    """Runs in tailscaled's namespace, and ends badly until that is in its tailnet, whose address the answers are.

    https://coredns.io/plugins/template/
    """
    ports = f"{NODE_PORTS[0]}-{NODE_PORTS[-1]}"
    return f"""\
#!/bin/sh
set -eu
address=$(ip -4 -o address show dev tailscale0 | sed -n 's|.* inet \\([0-9.]*\\)/.*|\\1|p')
[ -n "$address" ]
cat >{COREFILE} <<END
{joined.domain}:{PORT} {{
    bind $address
    template IN A {{
        answer "{{{{ .Name }}}} {KEPT_SECONDS} IN A $address"
    }}
    template ANY ANY {{
        rcode NOERROR
    }}
    errors
}}
END
nft -f - <<END
table ip {TABLE}
delete table ip {TABLE}
table ip {TABLE} {{
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname "tailscale0" ip daddr $address meta l4proto {{ tcp, udp }} th dport {ports} dnat to {member.address}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        oifname "{mesh.UPLINK}" ct status dnat masquerade
    }}
}}
END
exec {PREFIX}/bin/{BINARY} -conf {COREFILE}
"""


SERVICE: Final = f"""\
[Unit]
Description=Names of Homespun for the devices of its tailnet
# Another tailscaled may have another address.
PartOf={mesh.TAILSCALED_UNIT}
After={mesh.TAILSCALED_UNIT}
StartLimitIntervalSec=0
[Service]
NetworkNamespacePath=/run/netns/{mesh.NAMESPACE}
ExecStart=/bin/sh {SCRIPT}
ExecStopPost=-/usr/sbin/nft delete table ip {TABLE}
Slice=homespun.slice
Restart=always
RestartSec=2
[Install]
# It is stopped with tailscaled, and has to start with it too.
WantedBy=multi-user.target {mesh.TAILSCALED_UNIT}
"""
