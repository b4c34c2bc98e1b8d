"""Whatever is sent, it gets a 4xx, reaches no engine, and the next honest request is answered."""

import contextlib
import gzip
import json
import socket
import time

import httpx2
import pytest

from tests.integration.parts.serving import HOST, Serving
from tools.minilm import MODEL_ID

PATH = f"/models/{MODEL_ID}"
TEXT = '{"inputs": "a"}'

BODIES = {
    "nothing": b"",
    "no JSON": b"inputs=a",
    "half": b'{"inputs": "a',
    "a list": b'["a"]',
    "not a number": b'{"inputs": NaN}',
    "twice": b'{"inputs": "a", "inputs": "b"}',
    "a number": b'{"inputs": 1}',
    "an endless number": b'{"inputs": ' + b"9" * 100_000 + b"}",
    "depth": b'{"inputs": ' + b"[" * 500_000 + b"]" * 500_000 + b"}",
    "half a surrogate pair": b'{"inputs": "\\ud83d"}',
    "other bytes": b'{"inputs": "\xc3\x28"}',
    "UTF-16": '{"inputs": "a"}'.encode("utf-16"),
    "many texts": json.dumps({"inputs": ["a"] * 10_000}).encode(),
    "an unknown parameter": b'{"inputs": "a", "shared_memory_region": "x"}',
}


def _executions(serving: Serving) -> int:
    url = f"http://{HOST}:18002/v2/models/minilm/stats"
    return sum(int(version["inference_stats"]["success"]["count"]) for version in httpx2.get(url).json()["model_stats"])


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_refused(serving: Serving, name: str) -> None:
    answer = httpx2.post(serving.url + PATH, content=BODIES[name])
    assert answer.status_code == 400
    assert answer.json()["error_type"] == "validation"


def test_none_of_them_reaches_the_engine(serving: Serving) -> None:
    log = serving.server.agent.log.stat().st_size
    with httpx2.Client() as http:
        before = time.monotonic(), _executions(serving)
        for _ in range(5):
            for body in BODIES.values():
                http.post(serving.url + PATH, content=body)
        seconds, reached = time.monotonic() - before[0], _executions(serving) - before[1]
    assert reached <= seconds / 2 + 1  # the agent's probe, each two seconds
    assert "dead" not in serving.server.agent.log.read_text()[log:]


def test_a_body_that_announces_too_much_is_refused(serving: Serving) -> None:
    answer = httpx2.post(serving.url + PATH, content=b" " * (5 * 2**20))
    assert answer.status_code == 413


def test_a_body_in_chunks_is_refused_once_it_is_too_large(serving: Serving) -> None:
    answer = httpx2.post(serving.url + PATH, content=(b" " * 65536 for _ in range(100)))
    assert answer.status_code == 413


def test_a_body_of_tiny_chunks_is_read(serving: Serving) -> None:
    answer = httpx2.post(serving.url + PATH, content=(bytes([byte]) for byte in TEXT.encode() + b" " * 20_000))
    assert answer.status_code == 200


def test_a_compressed_body_is_refused(serving: Serving) -> None:
    bomb = gzip.compress(b" " * 10**8)
    answer = httpx2.post(serving.url + PATH, content=bomb, headers={"content-encoding": "gzip"})
    assert answer.status_code == 415


def _raw(serving: Serving, data: bytes, seconds: float = 30) -> bytes:
    """What is answered to bytes on a connection of their own, until it is closed."""
    with socket.create_connection((HOST, serving.port), timeout=seconds) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(65536):
            received += part
            if b"\r\n\r\n" in received and b"connection: close" not in received.lower():
                break
        return received


def _head(*headers: str) -> bytes:
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "host: gateway", *headers, "", ""]).encode()


def test_a_body_shorter_than_announced_is_given_up(serving: Serving) -> None:
    received = _raw(serving, _head("content-length: 100") + TEXT.encode(), seconds=40)
    assert received.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "head",
    [
        _head("content-length: nonsense"),
        _head("content-length: -1"),
        _head("content-length: 5", "content-length: 6"),
        _head("content-length: 5", "transfer-encoding: chunked"),
        _head("transfer-encoding: chunked") + b"nonsense\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(serving: Serving, head: bytes) -> None:
    assert _raw(serving, head).startswith(b"HTTP/1.1 400")


def test_a_path_of_odd_bytes_is_refused(serving: Serving) -> None:
    for path in ("/models/%00", "/models/%ff%fe", "/models/../../etc/passwd", "/models/" + "a/" * 1000, "/%2e%2e/"):
        assert httpx2.post(serving.url + path, content=TEXT).status_code in (404, 405)


def test_connections_that_never_ask_are_closed_and_hinder_nobody(serving: Serving) -> None:
    idle = [socket.create_connection((HOST, serving.port)) for _ in range(200)]
    try:
        for connection in idle[::2]:
            connection.sendall(b"POST /models/x HTTP/1.1\r\nhost: ")
        assert serving.ask(MODEL_ID, {"inputs": "a"}).status_code == 200
        deadline = time.monotonic() + 15
        for connection in idle:
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""
    finally:
        for connection in idle:
            connection.close()


def test_control_is_closed_on_the_engines_open_port(serving: Serving) -> None:
    from tritonclient.grpc import InferenceServerClient  # noqa: PLC0415
    from tritonclient.utils import InferenceServerException  # noqa: PLC0415

    client = InferenceServerClient(f"{HOST}:18001")
    calls = [
        lambda: client.unload_model("minilm"),
        lambda: client.load_model("minilm", config="{}"),
        client.get_model_repository_index,
        lambda: client.register_system_shared_memory("x", "/x", 8),
        lambda: client.update_log_settings({"log_verbose_level": 1}),
        lambda: client.update_trace_settings(settings={"trace_rate": "1"}),
    ]
    for call in calls:
        with pytest.raises(InferenceServerException, match="restricted"):
            call()
    assert serving.ask(MODEL_ID, {"inputs": "a"}).status_code == 200


def test_the_gateway_has_seen_no_defect(serving: Serving) -> None:
    assert "a defect" not in serving.gateway.log.read_text()
    assert '"status": 500' not in serving.gateway.log.read_text()
