"""A model hub of our own on the loopback: what huggingface_hub asks of one to fetch a repository at a commit."""

import hashlib
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
LARGE: Final = 2**20
"""Files of this size and more are LFS files, known by their sha256."""


@dataclass
class Repository:
    """One repository at COMMIT, with the faults that it is to have."""

    files: dict[str, bytes]
    token: str = ""
    """Private: answers only to this one."""
    gated: bool = False
    """Known to everybody, open to nobody."""
    cut: dict[str, int] = field(default_factory=dict)
    """Files of which the connection breaks off after so many bytes, each try."""
    spoil: set[str] = field(default_factory=set)
    """Files that arrive with another content than was announced."""


class Hub:
    """The hub; `url` is what HF_ENDPOINT names."""

    def __init__(self, port: int) -> None:
        self.repositories: dict[str, Repository] = {}
        self.sent: Counter[str] = Counter()
        """Bytes sent of each file."""
        self.asked: Counter[str] = Counter()
        """GETs of each file."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub._answer(self)

            def do_HEAD(self) -> None:
                hub._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        found = re.fullmatch(r"/api/models/(.+?)/revision/(\w+)|/(.+?)/resolve/(\w+)/(.+)", path)
        repository = self.repositories.get((found[1] or found[3]) if found else "")
        if found is None or repository is None or not self._allowed(request, repository):
            _refuse(request, 401, "RepoNotFound")  # as the hub does, it tells nobody what exists
        elif repository.gated:
            _refuse(request, 403, "GatedRepo")
        elif (found[2] or found[4]) != COMMIT:
            _refuse(request, 404, "RevisionNotFound")
        elif found[1]:
            _send(request, json.dumps(_info(found[1], repository)).encode(), {"content-type": "application/json"})
        elif found[5] not in repository.files:
            _refuse(request, 404, "EntryNotFound")
        else:
            self._send_file(request, repository, found[5])

    def _allowed(self, request: BaseHTTPRequestHandler, repository: Repository) -> bool:
        return not repository.token or request.headers.get("authorization") == f"Bearer {repository.token}"

    def _send_file(self, request: BaseHTTPRequestHandler, repository: Repository, name: str) -> None:
        content = repository.files[name]
        headers = {"x-repo-commit": COMMIT, "etag": f'"{_identity(content)}"', "accept-ranges": "bytes"}
        if name in repository.spoil:
            content = bytes(len(content))
        start = 0
        if wanted := re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", "")):
            start = int(wanted[1])
            headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if request.command == "HEAD":
            _send(request, content, headers)
            return
        self.asked[name] += 1
        end = min(len(content), start + repository.cut.get(name, len(content)))
        self.sent[name] += end - start
        _send(request, content[start:], headers, 206 if start else 200, stop_after=end - start)


def read(folder: Path) -> dict[str, bytes]:
    """The files of a folder, as a repository has them."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _info(name: str, repository: Repository) -> dict[str, Any]:
    siblings: list[dict[str, Any]] = []
    for path, content in repository.files.items():
        entry: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": _git_blob(content)}
        if len(content) >= LARGE:
            entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        siblings.append(entry)
    return {"id": name, "modelId": name, "sha": COMMIT, "private": False, "tags": [], "siblings": siblings}


def _identity(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if len(content) >= LARGE else _git_blob(content)


def _git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _refuse(request: BaseHTTPRequestHandler, status: int, code: str) -> None:
    _send(request, b'{"error": "no"}', {"x-error-code": code, "content-type": "application/json"}, status)


def _send(
    request: BaseHTTPRequestHandler,
    content: bytes,
    headers: dict[str, str],
    status: int = 200,
    stop_after: int | None = None,
) -> None:
    request.send_response(status)
    for name, value in {**headers, "content-length": str(len(content))}.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content[:stop_after])
    if stop_after is not None and stop_after < len(content):
        request.close_connection = True
