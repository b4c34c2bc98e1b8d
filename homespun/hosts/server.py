"""Files for a machine, served by their digest on loopback and carried through its own SSH connection.

At home the machine may reach the controller by no other way; so the lab takes this one too.
"""

import contextlib
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from homespun.hosts.errors import UnreachableError
from homespun.hosts.ssh import Connection
from homespun.hosts.state import HostState

HOST = "127.0.0.1"


@contextlib.contextmanager
def serve(connection: Connection, state: HostState) -> Iterator[str]:
    """While it lasts, the machine finds the files and images of `state` at the URL that this yields."""
    contents: dict[str, Path | bytes] = {}
    for file in state.files:
        contents[file.sha256] = Path(file.artifact.path) if file.artifact else (file.content or "").encode()
    for image in state.images:
        contents[image.archive.sha256] = Path(image.archive.path)
    with http.server.ThreadingHTTPServer((HOST, 0), _handler(contents)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with _forwarded(connection, server.server_address[1]) as port:
                yield f"http://{HOST}:{port}"
        finally:
            server.shutdown()


def _handler(contents: dict[str, Path | bytes]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:  # Ansible's check mode
            self._answer(with_body=False)

        def _answer(self, with_body: bool) -> None:
            content = contents.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            source: BinaryIO = content.open("rb") if isinstance(content, Path) else BytesIO(content)
            with source:
                self.send_response(HTTPStatus.OK)
                size = content.stat().st_size if isinstance(content, Path) else len(content)
                self.send_header("Content-Length", str(size))
                self.end_headers()
                if with_body:
                    with contextlib.suppress(BrokenPipeError):  # the machine's end of it tells why
                        shutil.copyfileobj(source, self.wfile, 1 << 20)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: what is fetched is in Ansible's own account."""

    return Handler


@contextlib.contextmanager
def _forwarded(connection: Connection, port: int) -> Iterator[int]:
    """A port on the machine's loopback that leads to ours."""
    command = connection.command("-N", "-o", "ExitOnForwardFailure=yes", "-R", f"{HOST}:0:{HOST}:{port}")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as tunnel:
        try:
            assert tunnel.stderr is not None
            said = []
            for line in tunnel.stderr:
                if allocated := re.match(r"Allocated port (\d+) for remote forward", line):
                    yield int(allocated[1])
                    return
                said.append(line)
            raise UnreachableError(
                f"{connection.address}: expected sshd to forward a port back to us (AllowTcpForwarding), it said:"
                f" {''.join(said).strip()}"
            )
        finally:
            tunnel.terminate()
