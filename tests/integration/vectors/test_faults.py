"""An acknowledged vector is never lost, and what dies is served again."""

import threading
from pathlib import Path

import httpx2

from tests.integration.parts.vectors import Vectors
from workloads.vectors.engine import PORT

BATCH = 20
LISTENING = "0A"
"""A socket's state in /proc/net/tcp."""


def test_a_killed_engine_loses_no_acknowledged_vector(vectors: Vectors, namespace: str) -> None:
    acknowledged: list[str] = []
    refused: list[tuple[int, str]] = []
    stop = threading.Event()

    def write() -> None:
        number = 0
        with httpx2.Client(timeout=60) as http:
            while not stop.is_set():
                ids = [f"{number:06d}-{index}" for index in range(BATCH)]
                body = {"vectors": [{"id": id_, "values": [1, 0, 0, 0]} for id_ in ids], "namespace": namespace}
                answer = http.post(f"{vectors.url}/v/papers/vectors/upsert", json=body)
                if answer.status_code == 200:
                    acknowledged.extend(ids)
                else:
                    refused.append((answer.status_code, answer.headers.get("retry-after", "")))
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        vectors.until("some acknowledged", lambda: len(acknowledged) > 50 * BATCH)
        vectors.milvus.kill()
        vectors.until("a refusal", lambda: refused)
        vectors.milvus.start()
        vectors.ensure()  # as the agent would: collections are not loaded after a restart
        count = len(acknowledged)
        vectors.until("more acknowledged", lambda: len(acknowledged) > count + 5 * BATCH, deadline=60)
    finally:
        stop.set()
        writer.join()
    assert {status for status, _ in refused} <= {503, 504}
    assert all(retry for status, retry in refused if status == 503)
    found: set[str] = set()
    for start in range(0, len(acknowledged), 100):
        ids = acknowledged[start : start + 100]
        answer = vectors.get("/vectors/fetch", params={"ids": ids, "namespace": namespace})
        found.update(answer.json()["vectors"])
    assert set(acknowledged) - found == set()


def test_a_restarted_gateway_answers_from_what_it_kept(vectors: Vectors) -> None:
    vectors.gateway.kill()
    vectors.start_gateway()
    vectors.until_answers(deadline=10)


def test_nothing_listens_where_a_clients_connection_may_be(vectors: Vectors) -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    tables = [Path(f"/proc/{vectors.milvus.process.pid}/net/{name}").read_text() for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table.splitlines()]
    listening = {int(local.rsplit(":", 1)[1], 16) for _, local, _, state, *_ in sockets if state == LISTENING}
    assert PORT in listening
    assert not [port for port in listening if first <= port <= last]
