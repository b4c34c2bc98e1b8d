"""MiniLM through gateway, agent and Triton: latency, throughput, memory, and how near int8 is to the fp32 weights.

`make bench-embedding`. All on this machine, the clients too; one thread an engine.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx2
import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput

from tests.integration.inference.conftest import minilm_model
from tests.integration.inference.texts import SENTENCES
from tests.integration.parts.minilm import Reference
from tests.integration.parts.serving import HOST, Server, Serving
from tools import minilm
from workloads.inference.config import State

CLIENTS: Final = 32
MODEL_PATH: Final = f"/models/{minilm.MODEL_ID}"


def main() -> None:
    results: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        minilm.write(folder / "claims/models/minilm")
        serving = Serving(folder, [Server(folder / "server", folder / "claims", 18001)])
        serving.declare(minilm_model())
        started = time.monotonic()
        serving.start()
        try:
            serving.until_answers(minilm.MODEL_ID)
            results["start to first answer, s"] = time.monotonic() - started
            results["load, s"] = serving.server.until_state("minilm", State.LOADED).load_seconds
            results |= _memory(serving, "after the load")
            results |= _latency(serving)
            results |= _throughput(serving)
            results |= _memory(serving, "after all of it")
            results |= _nearness(serving)
            results["engine killed to next answer, s"] = _restart(serving)
        finally:
            serving.stop()
    for what, value in results.items():
        print(f"{what:48} {value:10.4g}")
    Path(sys.argv[1] if len(sys.argv) > 1 else "/dev/null").write_text(json.dumps(results, indent=1))


def _latency(serving: Serving) -> dict[str, float]:
    """100 different sentences, one at a time: over HTTP, and by gRPC past the gateway."""
    client = InferenceServerClient(f"{HOST}:18001")
    version = str(minilm_model().revisions[0].version)

    def directly(text: str) -> None:
        tensor = InferInput("TEXT", [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[text.encode()]], dtype=np.object_))
        client.infer("minilm", [tensor], model_version=version)

    with httpx2.Client() as http:

        def through_the_gateway(text: str) -> None:
            assert http.post(serving.url + MODEL_PATH, json={"inputs": text}).status_code == 200

        gateway, engine = _milliseconds(through_the_gateway), _milliseconds(directly)
    return {
        "one client, p50, ms": statistics.median(gateway),
        "one client, p99, ms": gateway[-2],
        "the same by gRPC, p50, ms": statistics.median(engine),
    }


def _milliseconds(ask: Callable[[str], None]) -> list[float]:
    for text in SENTENCES[:10]:
        ask(text)
    times = []
    for text in SENTENCES:
        started = time.perf_counter()
        ask(text)
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)


def _throughput(serving: Serving) -> dict[str, float]:
    """Texts a second: one client, many clients, and one client that sends lists."""

    def rate(clients: int, bodies: list[dict[str, object]], texts: int) -> float:
        with httpx2.Client(timeout=60, limits=httpx2.Limits(max_connections=clients)) as http:
            started = time.monotonic()
            with ThreadPoolExecutor(clients) as pool:
                answers = pool.map(lambda body: http.post(serving.url + MODEL_PATH, json=body).status_code, bodies)
                assert set(answers) == {200}
            return texts / (time.monotonic() - started)

    single: list[dict[str, object]] = [{"inputs": text} for text in SENTENCES]
    return {
        "one client, texts/s": rate(1, single, 100),
        f"{CLIENTS} clients, texts/s": rate(CLIENTS, single * 4, 400),
        "one client with lists of 100, texts/s": rate(1, [{"inputs": SENTENCES}] * 4, 400),
    }


def _nearness(serving: Serving) -> dict[str, float]:
    """Cosines: int8 against fp32, and a text in company against the text alone."""
    reference = Reference().embed(SENTENCES)
    together = np.array(serving.ask(minilm.MODEL_ID, {"inputs": SENTENCES}).json())
    alone = np.array([serving.ask(minilm.MODEL_ID, {"inputs": text}).json() for text in SENTENCES])
    return {
        "int8 and fp32, mean cosine": float((together * reference).sum(axis=1).mean()),
        "int8 and fp32, least cosine": float((together * reference).sum(axis=1).min()),
        "in company and alone, least cosine": float((together * alone).sum(axis=1).min()),
    }


def _memory(serving: Serving, when: str) -> dict[str, float]:
    (stub,) = serving.server.stubs().values()
    parts = {
        "tritonserver": serving.server.triton.pid,
        "the model's process": stub,
        "agent": serving.server.agent.pid,
        "gateway": serving.gateway.pid,
    }
    return {f"{part}, RSS {when}, MiB": _resident(pid) for part, pid in parts.items()}


def _resident(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _restart(serving: Serving) -> float:
    serving.server.kill_triton()
    started = time.monotonic()
    serving.server.start_triton()
    serving.until_answers(minilm.MODEL_ID)
    return time.monotonic() - started


main()
