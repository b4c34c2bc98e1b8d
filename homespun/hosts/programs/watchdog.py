"""`watchdog.py --cluster HOST:PORT --instance URL --key FILE --minutes N`: ends the rental of this machine in time.

It runs there alone, on the machine's own Python: once the cluster has not been heard of for so long, it asks the
provider to destroy the instance, by the key that opens this instance and no other, until that has happened.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import sys
import time
import urllib.request
from pathlib import Path

FIRST_MINUTES = 60.0
"""For which it is waited at least until the cluster is heard of for the first time: the machine is set up meanwhile."""
SECONDS = 10.0
"""That an answer may take, and between two questions."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--key", required=True, type=Path)
    parser.add_argument("--minutes", required=True, type=float)
    given = parser.parse_args()
    key, heard, minutes = given.key.read_text().strip(), time.monotonic(), max(given.minutes, FIRST_MINUTES)
    while True:
        if answers(given.cluster):
            if minutes != given.minutes:
                print(f"{given.cluster}: heard of; from now on for {given.minutes:g} minutes without", flush=True)
            heard, minutes = time.monotonic(), given.minutes
        elif time.monotonic() - heard > minutes * 60:
            print(f"{given.cluster}: not heard of for {minutes:g} minutes; destroying this machine", flush=True)
            destroy(given.instance, key)
        time.sleep(SECONDS)


def answers(cluster: str) -> bool:
    """Whether anybody listens there."""
    host, _, port = cluster.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), SECONDS):
            return True
    except OSError:
        return False


def destroy(url: str, key: str) -> None:
    """As vast-ai/docs `api-reference/openapi/yaml/destroy_instance.yaml` has it."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, b"{}", headers, method="DELETE"), timeout=60):
            print("destroyed", flush=True)
    except (OSError, http.client.HTTPException) as error:
        print(f"not destroyed, asking again: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
