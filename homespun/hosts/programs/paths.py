"""`paths.py --node NAME --server URL --tailscale COMMAND PEER…`: how a machine reaches others, for people to see.

Asks tailscaled, once a minute, and writes what it says into the annotation `homespun.dev/paths` of the machine's node,
by the kubelet's own credentials: [{"to": "m0", "by": "direct", "ms": 1.2, "idle": 40}, …]. Without a peer it takes the
annotation away, and ends.
"""

from __future__ import annotations

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
TAG = "tag:homespun"
SECONDS = 60.0
AUTHORITY = "/etc/kubernetes/pki/ca.crt"
CREDENTIALS = "/var/lib/kubelet/pki/kubelet-client-current.pem"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--node", required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--tailscale", required=True)
    parser.add_argument("peers", nargs="*")
    given = parser.parse_args()
    while given.peers:
        try:
            tell(given.server, given.node, measured(shlex.split(given.tailscale), given.peers))
        except (OSError, http.client.HTTPException) as error:
            print(error, file=sys.stderr, flush=True)
        time.sleep(SECONDS)
    tell(given.server, given.node, None)


def measured(tailscale: Sequence[str], peers: Sequence[str]) -> list[dict[str, Any]]:
    """What the annotation is to hold: of each peer, though tailscaled may say nothing."""
    try:
        told = json.loads(said_by([*tailscale, "status", "--json"]) or "{}")
    except ValueError:
        told = {}
    # A device of an owner's may be called as a machine is.
    known = {peer["HostName"]: peer for peer in (told.get("Peer") or {}).values() if TAG in (peer.get("Tags") or ())}
    found = []
    for name in peers:
        peer = known.get(name, {})
        addresses = peer.get("TailscaleIPs") or []
        # The first answer may come by the relay, of a pair that was idle: three, or until one comes directly.
        said = said_by([*tailscale, "ping", "--c=3", "--timeout=5s", addresses[0]]) if addresses else ""
        by, milliseconds = answer(said)
        idle = since(peer.get("LastHandshake", ""), time.time())
        found.append({"to": name, "by": by, "ms": milliseconds, "idle": idle})
    return found


def said_by(command: Sequence[str]) -> str:
    """What a command prints, however it ends; '' where it does not."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def answer(said: str) -> tuple[str, float | None]:
    """How the last ping was answered (direct, relay; '' where none was), and in how many milliseconds."""
    pongs = re.findall(r"pong from .* via (\S+) in ([0-9.]+)(ms|s|µs)", said)
    if not pongs:
        return "", None
    by, number, unit = pongs[-1]
    factor = {"ms": 1.0, "s": 1000.0, "µs": 0.001}[unit]
    return "relay" if by.startswith(("DERP", "peer-relay")) else "direct", round(float(number) * factor, 3)


def since(handshake: str, now: float) -> int | None:
    """Seconds from a handshake, as Go writes its time (RFC 3339), to one of the Unix clock; None if there was none."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)[.\d]*(Z|([+-])(\d\d):(\d\d))$", handshake)
    if not match or handshake.startswith("0001"):
        return None
    offset = 0 if match[2] == "Z" else int(f"{match[3]}1") * (int(match[4]) * 3600 + int(match[5]) * 60)
    return max(0, round(now - (calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S")) - offset)))


def tell(server: str, node: str, paths: Sequence[dict[str, Any]] | None) -> None:
    """Put it into the node's annotation, or take that away. Raises OSError, HTTPException."""
    context = ssl.create_default_context(cafile=AUTHORITY)
    context.load_cert_chain(CREDENTIALS)
    said = None if paths is None else json.dumps(paths)  # null takes it away (RFC 7396)
    body = json.dumps({"metadata": {"annotations": {ANNOTATION: said}}}).encode()
    headers = {"Content-Type": "application/merge-patch+json"}
    request = urllib.request.Request(f"{server}/api/v1/nodes/{node}", body, headers, method="PATCH")
    with urllib.request.urlopen(request, timeout=20, context=context):
        pass


if __name__ == "__main__":
    main()
