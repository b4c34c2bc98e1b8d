"""A line that breaks under TLS after the request was sent: it may have been done, so it is not done again."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from homespun.clients.errors import Unreachable
from homespun.clients.rest import Service
from tests.integration.parts.headscale import certificates


class Breaking:
    """A server that takes a request, and then sends what is no TLS."""

    def __init__(self, folder: Path) -> None:
        certificates(folder, "127.0.0.1")
        self.authority = str(folder / "ca.crt")
        self.taken: list[bytes] = []
        self._trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._trust.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            line.settimeout(5)
            secured = self._trust.wrap_socket(line, server_side=True)
            self.taken.append(secured.recv(65536))
            plain = socket.socket(fileno=secured.detach())
            plain.sendall(b"no TLS any more")
            plain.close()

    def stop(self) -> None:
        self._listening.close()


@pytest.fixture
def breaking(tmp_path: Path) -> Iterator[Breaking]:
    server = Breaking(tmp_path)
    yield server
    server.stop()


@pytest.mark.parametrize(("repeat", "times"), [(False, 1), (True, 3)])
def test_only_what_may_be_done_twice_is_asked_again(breaking: Breaking, repeat: bool, times: int) -> None:
    service = Service("Thing", breaking.url, authority=breaking.authority, attempts=3, back_off=0.01)
    with pytest.raises(Unreachable):
        service.call("POST", "/thing", repeat=repeat)
    assert len(breaking.taken) == times
