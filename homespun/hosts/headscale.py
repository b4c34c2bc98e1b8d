"""A control server of one's own: headscale, on a machine of the cluster, with a relay (DERP) and STUN in it.

Its certificate vouches for itself: it is made on the machine, whose key never leaves it, and the others are given it.
Keys of configuration: https://github.com/juanfont/headscale/blob/v0.29.2/config-example.yaml
"""

import json
from collections.abc import Mapping
from typing import Final

from homespun.hosts.cluster import Member, Mesh
from homespun.hosts.files import Artifact, File, binary, text, unit
from homespun.hosts.layout import PREFIX, ROOT, RUN

BINARIES: Final = ("headscale",)
UNIT: Final = "homespun-headscale.service"
STUN_PORT: Final = 3478
FOLDER: Final = f"{ROOT}/headscale"
CERTIFICATE: Final = f"{FOLDER}/tls.crt"
CONFIG: Final = f"{PREFIX}/etc/headscale.yaml"
CLI: Final = f"{PREFIX}/bin/headscale --config {CONFIG}"
DOMAIN: Final = "mesh.internal"
"""Of the names of machines on the mesh, which our machines don't ask for."""
EPHEMERAL: Final = "25h"
"""How long a rented machine may be silent before it is forgotten: longer than it stays without its cluster."""


def files(member: Member, mesh: Mesh, artifacts: Mapping[str, Artifact]) -> list[File]:
    """What makes a machine the control server."""
    return [
        *(binary(f"{PREFIX}/bin/{name}", artifacts[name], restarts=(UNIT,)) for name in BINARIES),
        text(CONFIG, config(mesh), restarts=(UNIT,)),
        unit(UNIT, service(member, mesh)),
    ]


def config(mesh: Mesh) -> str:
    """headscale's configuration file: JSON, which is YAML too."""
    derp = {
        "enabled": True,
        "region_id": 999,
        "region_code": "homespun",
        "region_name": "homespun",
        "stun_listen_addr": f"0.0.0.0:{STUN_PORT}",
        "private_key_path": f"{FOLDER}/derp.key",
        "automatically_add_embedded_derp_region": True,
        "ipv4": mesh.control_address,
    }
    return json.dumps(
        {
            "server_url": mesh.control_url,
            "listen_addr": f"0.0.0.0:{mesh.headscale_port}",
            "metrics_listen_addr": "",
            "tls_cert_path": CERTIFICATE,
            "tls_key_path": f"{FOLDER}/tls.key",
            "noise": {"private_key_path": f"{FOLDER}/noise.key"},
            "prefixes": {"v4": "100.64.0.0/10", "v6": "fd7a:115c:a1e0::/48", "allocation": "sequential"},
            "derp": {"server": derp, "urls": [], "paths": [], "auto_update_enabled": False},
            "disable_check_updates": True,
            "ephemeral_node_inactivity_timeout": EPHEMERAL,
            "database": {"type": "sqlite", "sqlite": {"path": f"{FOLDER}/db.sqlite"}},
            "policy": {"mode": "database"},
            "dns": {
                "magic_dns": True,
                "base_domain": DOMAIN,
                "override_local_dns": False,
                "nameservers": {"global": []},
            },
            "unix_socket": f"{RUN}/headscale.sock",
            "log": {"level": "warn"},
        },
        indent=2,
    ) + "\n"  # fmt: skip


def service(member: Member, mesh: Mesh) -> str:
    """The unit; its certificate is made before a start that has none for the addresses at which it is asked."""
    addresses = dict.fromkeys([mesh.control_address, str(member.lan)])
    holds = " && ".join(
        f'openssl x509 -noout -checkip {one} -in {CERTIFICATE} 2>/dev/null | grep -q "does match"' for one in addresses
    )
    made = (
        f"{{ {holds}; }} || (umask 077 && mkdir -p {FOLDER} && openssl req -x509 -newkey ec"
        f" -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=homespun-headscale"
        f" -addext subjectAltName={','.join(f'IP:{one}' for one in addresses)}"
        f" -keyout {FOLDER}/tls.key -out {CERTIFICATE})"
    )
    return f"""\
[Unit]
Description=Control server of Homespun's mesh
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c '{made}'
ExecStart={PREFIX}/bin/headscale --config {CONFIG} serve
Slice=homespun.slice
Restart=always
RestartSec=2
[Install]
WantedBy=multi-user.target
"""
