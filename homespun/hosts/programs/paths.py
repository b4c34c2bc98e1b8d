"""`paths.py --node NAME --server URL --tailscale COMMAND PEER…`: how a machine reaches others, for people to see.

Asks tailscaled, once a minute, and writes what it says into the annotation `homespun.dev/paths` of the machine's node,
by the kubelet's own credentials: [{"to": "m0", "by": "direct", "ms": 1.2, "idle": 40}, …].
"""

import argparse
import calendar
import http.client
import json
import re
import shlex
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

ANNOTATION = "homespun.dev/paths"
SECONDS = 60.0
AUTHORITY = "/etc/kubernetes/pki/ca.crt"
CREDENTIALS = "/var/lib/kubelet/pki/kubelet-client-current.pem"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--node", required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--tailscale", required=True)
    parser.add_argument("peers", nargs="+")
    given = parser.parse_args()
    while True:
        try:
            tell(given.server, given.node, measured(shlex.split(given.tailscale), given.peers))
        except (OSError, http.client.HTTPException, subprocess.SubprocessError, ValueError) as error:
            print(error, file=sys.stderr, flush=True)
        time.sleep(SECONDS)


def measured(tailscale: Sequence[str], peers: Sequence[str]) -> list[dict[str, Any]]:
    """What the annotation is to hold. Raises OSError, SubprocessError, ValueError."""
    told = subprocess.run([*tailscale, "status", "--json"], capture_output=True, text=True, check=True, timeout=20)
    known = {peer["HostName"]: peer for peer in (json.loads(told.stdout).get("Peer") or {}).values()}
    found = []
    for name in peers:
        peer = known.get(name)
        command = [*tailscale, "ping", "--c=1", "--timeout=5s", "--until-direct=false"]
        said = ""
        if peer and peer.get("TailscaleIPs"):
            ran = subprocess.run([*command, peer["TailscaleIPs"][0]], capture_output=True, text=True, timeout=20)
            said = ran.stdout
        by, milliseconds = answer(said)
        idle = since(peer.get("LastHandshake", ""), time.time()) if peer else None
        found.append({"to": name, "by": by, "ms": milliseconds, "idle": idle})
    return found


def answer(said: str) -> "tuple[str, float | None]":
    """How a ping was answered (direct, relay; '' where it was not), and in how many milliseconds."""
    match = re.search(r"pong from .* via (\S+) in ([0-9.]+)(ms|s|µs)", said)
    if not match:
        return "", None
    factor = {"ms": 1.0, "s": 1000.0, "µs": 0.001}[match[3]]
    return "relay" if match[1].startswith(("DERP", "peer-relay")) else "direct", round(float(match[2]) * factor, 3)


def since(handshake: str, now: float) -> "int | None":
    """Seconds from a handshake, as Go writes its time (RFC 3339), to one of the Unix clock; None if there was none."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)[.\d]*(Z|([+-])(\d\d):(\d\d))$", handshake)
    if not match or handshake.startswith("0001"):
        return None
    offset = 0 if match[2] == "Z" else int(f"{match[3]}1") * (int(match[4]) * 3600 + int(match[5]) * 60)
    return max(0, round(now - (calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S")) - offset)))


def tell(server: str, node: str, paths: Sequence[dict[str, Any]]) -> None:
    """Put it into the node's annotation. Raises OSError, HTTPException."""
    context = ssl.create_default_context(cafile=AUTHORITY)
    context.load_cert_chain(CREDENTIALS)
    body = json.dumps({"metadata": {"annotations": {ANNOTATION: json.dumps(paths)}}}).encode()
    headers = {"Content-Type": "application/merge-patch+json"}
    request = urllib.request.Request(f"{server}/api/v1/nodes/{node}", body, headers, method="PATCH")
    with urllib.request.urlopen(request, timeout=20, context=context):
        pass


if __name__ == "__main__":
    main()
