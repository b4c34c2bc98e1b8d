"""A Caddy with the configuration that the ingress has, before two services of a test's own."""

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from cli.page import Page
from stacks.platform import authority, ingress
from stacks.platform.ingress import Ingress
from tests.integration.parts.process import Process
from tools.obtain import obtain
from tools.table import CADDY

DOMAIN: Final = "home.internal"
PORT: Final = 18443
HEALTH_PORT: Final = 18080
"""Here others have the ports that it has in its pod."""


@dataclass
class Service:
    """An HTTP server that says its name, or streams two parts, the second once it may."""

    name: str
    may_end: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    def __post_init__(self) -> None:
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                parts = [b"first"] if self.path == "/stream" else [service.name.encode()]
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for part in parts:
                    self._chunk(part)
                if self.path == "/stream" and service.may_end.wait(30):
                    self._chunk(b"second")
                self.wfile.write(b"0\r\n\r\n")

            def _chunk(self, part: bytes) -> None:
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                self.wfile.flush()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@dataclass
class Running:
    """The ingress, its authority and what it is in front of."""

    caddy: Process
    certificate: str
    key: str
    services: dict[str, Service]
    command: list[str | Path]

    def page(self, name: str) -> Page:
        """Where it is reached under one of its names."""
        return Page(f"https://{name}.{DOMAIN}:{PORT}/", "127.0.0.1", self.certificate)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("ingress")
    certificate, key = authority.make(DOMAIN)
    services = {name: Service(name) for name in ("models", "wiki")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingress, "AUTHORITY_FOLDER", str(folder))
        patch.setattr(ingress, "STORAGE", str(folder / "storage"))
        patch.setattr(ingress, "HEADERS_SECONDS", 1)
        patch.setattr(ingress, "PORT", PORT)
        patch.setattr(ingress, "HEALTH_PORT", HEALTH_PORT)
        upstreams = {name: one.address for name, one in services.items()} | {"gone": "127.0.0.1:1"}
        config = ingress.config(Ingress(DOMAIN, 30443, upstreams))
    (folder / "tls.crt").write_text(certificate)
    (folder / "tls.key").write_text(key)
    (folder / "caddy.json").write_text(json.dumps(config))
    command: list[str | Path] = [obtain(CADDY, lambda *_: None), "run", "--config", folder / "caddy.json"]
    caddy = start(command, folder)
    found = Running(caddy, certificate, key, services, command)
    yield found
    found.caddy.stop()
    for one in services.values():
        one.server.shutdown()


def start(command: list[str | Path], folder: Path) -> Process:
    caddy = Process(command, folder / "log", {"HOME": str(folder)})
    caddy.until("certificates", lambda: '"certificate obtained successfully"' in caddy.log.read_text())
    return caddy
