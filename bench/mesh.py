"""Pods on different machines against pods on one: throughput and latency over the LAN, directly and relayed.

`make bench-mesh`. Three lab machines on this box, two on one LAN and one behind a NAT (`stacks/Pulumi.trio-base.yaml`),
made for this and taken away. Both ends are Python on this box's CPUs, which all of them share: the ratios count.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from homespun.hosts import mesh
from tests.e2e.lab import Lab
from tests.e2e.mesh.trio import ALL, cut, nodes, path, running, unplugged
from tests.e2e.web import pod_spec
from tests.waiting import until

SECONDS: Final = 5.0
ROUND_TRIPS: Final = 500
STREAMS: Final = (1, 8)
SERVER: Final = """
import socket, threading
def serve(c):
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if c.recv(1) == b"e":
        while d := c.recv(1): c.sendall(d)
    else:
        while c.recv(1 << 20): pass
        c.sendall(b"x")
s = socket.create_server(("", 8000), backlog=64)
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
"""Sends back what begins with `e`, else takes all and says when it has."""
LATENCY: Final = f"""
import socket, statistics, time
c = socket.create_connection(("ADDRESS", 8000), 10); c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
c.sendall(b"e"); took = []
for _ in range({ROUND_TRIPS}):
    began = time.perf_counter(); c.sendall(b"."); c.recv(1); took.append(time.perf_counter() - began)
print(statistics.median(took) * 1000)
"""
"""Prints the median round trip in milliseconds."""
THROUGHPUT: Final = f"""
import socket, threading, time
block, sent = bytes(1 << 18), []
def stream():
    c = socket.create_connection(("ADDRESS", 8000), 10); c.sendall(b"t"); n = 0
    while time.perf_counter() < end: c.sendall(block); n += len(block)
    c.shutdown(socket.SHUT_WR); c.recv(1); sent.append(n)
began = time.perf_counter(); end = began + {SECONDS}
threads = [threading.Thread(target=stream) for _ in range(STREAMS)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sum(sent) / (time.perf_counter() - began) / 1e6)
"""
"""Prints the megabytes a second that have arrived."""


def main() -> None:
    began = time.monotonic()
    with running(platform=False) as lab:
        until("three nodes", lambda: nodes(lab) == ALL, 120)
        results: dict[str, Any] = {"from nothing to three Ready nodes, s": time.monotonic() - began}
        for number, machine in enumerate(("m0", "m0", "m1", "m2")):
            _pod(lab, f"p{number}", machine)
        lab.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s")
        results |= _measured(lab, "one machine (veth)", "p1")
        results |= _measured(lab, "LAN", "p2")
        _until_path(lab, "direct")
        results |= _measured(lab, "two sites, direct", "p3")
        with cut("m0", f"udp dport {mesh.PORT}"):
            _until_path(lab, "relay")
            results |= _measured(lab, "two sites, relayed", "p3")
        _until_path(lab, "direct")
        began = time.monotonic()
        with unplugged("m2"):
            until("that m2 is missed", lambda: nodes(lab) == {"m0", "m1"}, 180)
            results["a cut link: until the node is NotReady, s"] = time.monotonic() - began
        began = time.monotonic()
        until("pods beyond it", lambda: _number(lab, LATENCY, "p3") is not None, 120)
        results["a mended link: until pods talk, s"] = time.monotonic() - began
        until("the node", lambda: nodes(lab) == ALL, 120)
        results["a mended link: until the node is Ready, s"] = time.monotonic() - began
    for what, value in results.items():
        print(f"{what:56} {value:10.4g}")
    Path(sys.argv[1] if len(sys.argv) > 1 else "/dev/null").write_text(json.dumps(results, indent=1))


def _pod(lab: Lab, name: str, machine: str) -> None:
    spec = {**pod_spec("-c", SERVER), "nodeName": machine}
    del spec["containers"][0]["readinessProbe"]
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    until("the service account", lambda: lab.kubectl("get", "serviceaccount/default", check=False), 60)
    lab.kubectl("apply", "-f", "-", input=json.dumps(document))


def _measured(lab: Lab, what: str, pod: str) -> dict[str, float]:
    """From p0, on the first machine, to a pod."""
    found = {f"{what}: round trip p50, ms": _number(lab, LATENCY, pod)}
    for streams in STREAMS:
        found[f"{what}: {streams} streams, MB/s"] = _number(lab, THROUGHPUT.replace("STREAMS", str(streams)), pod)
    wrong = [name for name, value in found.items() if value is None]
    assert not wrong, wrong
    return {name: value for name, value in found.items() if value is not None}


def _number(lab: Lab, code: str, pod: str) -> float | None:
    """What a program in p0 prints, None where it fails."""
    address = lab.kubectl("get", "pod", pod, "-o", "jsonpath={.status.podIP}")
    said = lab.kubectl("exec", "p0", "--", "/usr/bin/python3", "-c", code.replace("ADDRESS", address), check=False)
    return float(said) if said.strip() else None


def _until_path(lab: Lab, by: str) -> None:
    until(f"path: {by}", lambda: _number(lab, LATENCY, "p3") is not None and path("m0", "m2") == by, 120)


if __name__ == "__main__":
    main()
