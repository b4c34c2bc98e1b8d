"""The gateway of vectors against Milvus asked directly, its recall against exact search, the engine at rest.

`make bench-vectors`. All on this machine, the client too: 20,000 vectors of 256 numbers in clusters, and a filter by
one year of 14 (7 %). The two are asked in turns, with pauses as long as an answer takes: half load.
"""

import asyncio
import contextlib
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pymilvus import MilvusClient

from tests.integration.parts.milvus import ADDRESS
from tests.integration.parts.vectors import HOST, Vectors
from workloads.vectors import layout
from workloads.vectors.config import Collection, Field

ROWS, DIMENSION, CLUSTERS, QUERIES, TOP = 20_000, 256, 200, 300, 10
YEARS: Final = 14
UPSERT: Final = 250
IDLE_SECONDS: Final = 20
COLLECTION: Final = Collection("bench", DIMENSION, "cosine", (Field("year", "int"),))

Floats = npt.NDArray[np.float32]


def main() -> None:
    results: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        vectors = Vectors(Path(name), (COLLECTION,))
        vectors.start()
        try:
            data, questions = _clustered(ROWS, 0), _clustered(QUERIES, 1)
            results["upserts through the gateway, vectors/s"] = _fill(vectors, data)
            asyncio.run(_flush())
            results |= _recall(vectors, data, questions)
            results |= _latency(vectors, questions)
            results |= _idle(vectors)
        finally:
            vectors.stop()
    for what, value in results.items():
        print(f"{what:52} {value:10.4g}")
    Path(sys.argv[1] if len(sys.argv) > 1 else "/dev/null").write_text(json.dumps(results, indent=1))


def _clustered(count: int, seed: int) -> Floats:
    """Rows of length 1 around CLUSTERS centres: (count, DIMENSION)."""
    centres = np.random.default_rng(7).normal(size=(CLUSTERS, DIMENSION))
    draw = np.random.default_rng(seed)
    rows = centres[draw.integers(CLUSTERS, size=count)] + draw.normal(scale=0.7, size=(count, DIMENSION))
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _fill(vectors: Vectors, data: Floats) -> float:
    started = time.monotonic()
    for begin in range(0, ROWS, UPSERT):
        batch = [
            {"id": str(row), "values": data[row].tolist(), "metadata": {"year": row % YEARS}}
            for row in range(begin, begin + UPSERT)
        ]
        answer = vectors.post("/vectors/upsert", {"vectors": batch}, "bench")
        assert answer.status_code == 200, answer.text
    return ROWS / (time.monotonic() - started)


async def _flush() -> None:
    """Sealed and indexed, as after a while at rest."""
    client = MilvusClient(ADDRESS)
    client.flush(layout.alias("bench"))
    end = time.monotonic() + 120
    while True:
        index = client.describe_index(layout.generation("bench"), layout.VECTOR)
        if index["pending_index_rows"] == 0 and index["indexed_rows"] >= ROWS:
            break
        assert time.monotonic() < end, f"expected an index over {ROWS} rows, found {index}"
        await asyncio.sleep(0.5)
    client.close()


def _recall(vectors: Vectors, data: Floats, questions: Floats) -> dict[str, float]:
    years = np.arange(ROWS) % YEARS
    scores = questions @ data.T  # (QUERIES, ROWS)
    plain, filtered = [], []
    for number, question in enumerate(questions):
        wanted = set(np.argsort(-scores[number])[:TOP].tolist())
        plain.append(len(wanted & _found(vectors, question, {})) / TOP)
        allowed = np.where(years == 3, scores[number], -2.0)
        wanted = set(np.argsort(-allowed)[:TOP].tolist())
        filtered.append(len(wanted & _found(vectors, question, {"filter": {"year": 3}})) / TOP)
    return {"recall@10": statistics.mean(plain), "recall@10 with a filter of 7 %": statistics.mean(filtered)}


def _found(vectors: Vectors, question: Floats, more: dict[str, Any]) -> set[int]:
    answer = vectors.post("/query", {"vector": question.tolist(), "topK": TOP, **more}, "bench")
    return {int(match["id"]) for match in answer.json()["matches"]}


def _latency(vectors: Vectors, questions: Floats) -> dict[str, float]:
    """In turns, so that what else runs here slows both."""
    client = MilvusClient(ADDRESS)
    partition = [layout.partition(layout.DEFAULT_NAMESPACE)]
    search = {"params": {"ef": COLLECTION.ef}}
    where = f'{layout.NAMESPACE} == "{layout.DEFAULT_NAMESPACE}"'
    through: list[float] = []
    direct: list[float] = []
    # The client of the standard library: a heavier one (httpx: 0.4 ms a request) would be measured with the gateway.
    with contextlib.closing(http.client.HTTPConnection(HOST, vectors.port)) as connection:
        for question in [*questions[:20], *questions]:
            started = time.perf_counter()
            body = json.dumps({"vector": question.tolist(), "topK": TOP})
            connection.request("POST", "/v/bench/query", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            found = json.loads(answer.read())
            through.append((time.perf_counter() - started) * 1000)
            assert answer.status == 200, found
            time.sleep(through[-1] / 1000)
            started = time.perf_counter()
            client.search(
                layout.alias("bench"), [question.tolist()], filter=where, limit=TOP, output_fields=[layout.ID],
                search_params=search, partition_names=partition,
            )  # fmt: skip
            direct.append((time.perf_counter() - started) * 1000)
            time.sleep(direct[-1] / 1000)
    client.close()
    ours, theirs = statistics.median(through[20:]), statistics.median(direct[20:])
    return {
        "query through the gateway, p50, ms": ours,
        "by pymilvus directly, p50, ms": theirs,
        "added by the gateway, p50, ms": ours - theirs,
        "query through the gateway, p99, ms": sorted(through[20:])[-3],
    }


def _idle(vectors: Vectors) -> dict[str, float]:
    """CPU and memory with nobody asking."""
    parts = {"engine": vectors.milvus.process.pid, "gateway": vectors.gateway.pid}
    before = {part: _ticks(pid) for part, pid in parts.items()}
    time.sleep(IDLE_SECONDS)
    found = {}
    for part, pid in parts.items():
        share = (_ticks(pid) - before[part]) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS
        found[f"{part} idle, % of a core"] = 100 * share
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        line = next(line for line in status if line.startswith("VmRSS"))
        found[f"{part}, RSS, MiB"] = int(line.split()[1]) / 1024
    return found


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


main()
