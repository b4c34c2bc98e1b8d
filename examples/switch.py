"""A new revision takes over while two clients ask without a pause: in `make shell`, `python examples/switch.py`.

The revision is the same MiniLM in a second folder of the claim (`make model` puts it there), or the folder that is
named: `python examples/switch.py pvc://models/my-encoder`. `kubectl apply -f examples/inference/minilm.yaml` goes back.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from typing import Any

from huggingface_hub import InferenceClient

NAME = "minilm"


def kubectl(*arguments: str) -> str:
    ran = subprocess.run(["kubectl", *arguments], capture_output=True, text=True)
    if ran.returncode:
        sys.exit(ran.stderr.strip())
    return ran.stdout


def model() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", "im", NAME, "-o", "json"))
    return found


def active(document: dict[str, Any]) -> dict[str, str]:
    """The revision that answers: its uri, its digest."""
    found: dict[str, str] = document["status"]["revision"]["active"]
    return found


def switched(document: dict[str, Any], before: dict[str, str]) -> bool:
    conditions = {entry["type"]: entry["status"] for entry in document["status"]["conditions"]}
    return bool(conditions["UpToDate"] == "True" and active(document) != before)


def second_folder() -> str:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["python3", "-m", "tools.minilm", folder], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["make", "model", f"FROM={folder}", "NAME=minilm-2"], check=True, stdout=subprocess.DEVNULL)
    first, second = "pvc://models/minilm", "pvc://models/minilm-2"
    return first if model()["spec"]["source"]["uri"] == second else second


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else second_folder()
    found = model()
    before = active(found)
    client = InferenceClient(model=found["status"]["url"])
    outcomes: Counter[str] = Counter()
    seconds: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            started = time.monotonic()
            try:
                client.feature_extraction("how do transformers weigh words")
                outcomes["answered"] += 1
            except Exception as error:
                outcomes[f"failed: {error}"] += 1
            seconds.append(time.monotonic() - started)

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for one in clients:
        one.start()
    try:
        time.sleep(2)
        started = time.monotonic()
        patch = {"spec": {"source": {"uri": source, "revision": None}}}
        kubectl("patch", "im", NAME, "--type=merge", f"--patch={json.dumps(patch)}")
        while not switched(model(), before):
            if time.monotonic() - started > 120:
                sys.exit("not switched within 120 s; see: kubectl -n ml describe im minilm")
            time.sleep(0.2)
        took = time.monotonic() - started
        time.sleep(2)
    finally:
        over.set()
        for one in clients:
            one.join()
    print(f"{before['uri']} → {active(model())['uri']} in {took:.1f} s, loaded and probed beside the old one")
    print(
        ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()),
        f"· slowest {max(seconds) * 1000:.0f} ms",
    )
    if set(outcomes) != {"answered"}:
        sys.exit(1)


if __name__ == "__main__":
    main()
