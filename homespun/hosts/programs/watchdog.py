"""`watchdog.py --cluster HOST:PORT --instance URL --key FILE --minutes N`: ends the rental of this machine in time.

It runs there alone, on the machine's own Python: once the cluster has not been heard of for so long, it asks the
provider to destroy the instance, by the key that opens this instance and no other, until that has happened.
"""

import argparse
import http.client
import socket
import sys
import time
import urllib.request
from pathlib import Path

SECONDS = 10.0
"""That an answer may take, and between two questions."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--key", required=True, type=Path)
    parser.add_argument("--minutes", required=True, type=float)
    given = parser.parse_args()
    key, heard = given.key.read_text().strip(), time.monotonic()
    while True:
        if answers(given.cluster):
            heard = time.monotonic()
        elif time.monotonic() - heard > given.minutes * 60:
            print(f"{given.cluster}: not heard of for {given.minutes:g} minutes; destroying this machine", flush=True)
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
