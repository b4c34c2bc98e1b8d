"""The gateway of vectors as a process over the real Milvus, with a stand-in for the agent beside it."""

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
from pymilvus import AsyncMilvusClient

from tests.integration.parts.milvus import ADDRESS, Milvus
from tests.integration.parts.process import Process
from tests.waiting import answers
from tools.environments import environment
from workloads.edge import servers
from workloads.edge.document import PROBE_TOKEN_HEADER, render_placements, token_hash
from workloads.vectors import schema
from workloads.vectors.config import Collection, Config, Placement, State, render
from workloads.vectors.engine import PORT as MILVUS_PORT

ROOT: Final = Path(__file__).parents[3]
HOST: Final = "127.0.0.1"
PROBE_TOKEN: Final = "probe-token-of-the-tests"
AGENT_PORT: Final = 18390

T = TypeVar("T")


def in_milvus(act: Callable[[AsyncMilvusClient], Awaitable[T]]) -> T:
    """What is done to Milvus past the gateway."""

    async def run() -> T:
        client = AsyncMilvusClient(ADDRESS, dedicated=True)
        try:
            return await act(client)
        finally:
            await client.close()

    return asyncio.run(run())


class Agent:
    """Says what it is told to, where an agent would say it."""

    def __init__(self) -> None:
        self.placements: tuple[Placement, ...] = ()
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = render_placements(told.placements).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((HOST, AGENT_PORT), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Vectors:
    """Milvus, its collections, and the gateway."""

    folder: Path
    collections: tuple[Collection, ...]
    port: int = 18380
    milvus: Milvus = field(init=False)
    agent: Agent = field(init=False)
    gateway: Process = field(init=False)
    http: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=40))

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        self.milvus = Milvus(self.folder / "milvus")
        self.milvus.start()
        self.ensure()
        self.agent = Agent()
        self.agent.placements = tuple(Placement(c.name, State.LOADED, loads=1) for c in self.collections)
        self.publish()
        self.declare(*self.collections)
        self.start_gateway()
        for collection in self.collections:
            self.until_answers(collection.name)

    def ensure(self) -> None:
        """Make and load the collections, as the agent would."""

        async def act(client: AsyncMilvusClient) -> None:
            await schema.ensure_registry(client)
            differences = await asyncio.gather(*(schema.ensure(client, each) for each in self.collections))
            assert not any(differences)

        in_milvus(act)

    def start_gateway(self) -> None:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOMESPUN_CACHE")}
        self.gateway = Process(
            [environment("vectors") / "bin/python", "-m", "workloads.vectors.gateway", "--host", HOST,
             "--port", str(self.port), "--state", self.folder / "gateway", "--standalone"],
            self.folder / "gateway.log",
            {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.folder)},
        )  # fmt: skip
        self.gateway.until("/healthz", lambda: answers(f"{self.url}/healthz"))

    def publish(self) -> None:
        """Tell the gateway of the engine and its agent, as EndpointSlices would."""
        server = servers.Server(HOST, (("agent", AGENT_PORT), ("milvus", MILVUS_PORT)))
        _write(self.folder / "gateway/servers.json", servers.render((server,)))

    def declare(self, *collections: Collection) -> None:
        """Tell the gateway what to serve, as the operator would."""
        _write(self.folder / "gateway/config.json", render(Config(collections, token_hash(PROBE_TOKEN))))

    def post(self, path: str, body: Any, collection: str = "papers", **options: Any) -> httpx2.Response:
        return self.http.post(f"{self.url}/v/{collection}{path}", json=body, **options)

    def get(self, path: str, collection: str = "papers", **options: Any) -> httpx2.Response:
        return self.http.get(f"{self.url}/v/{collection}{path}", **options)

    def state(self) -> Any:
        return json.loads(httpx2.get(f"{self.url}/-/state", headers={PROBE_TOKEN_HEADER: PROBE_TOKEN}).text)

    def until(self, what: str, condition: Callable[[], object], deadline: float = 30) -> None:
        self.gateway.until(what, condition, deadline)

    def until_answers(self, collection: str = "papers", deadline: float = 60) -> None:
        headers = {PROBE_TOKEN_HEADER: PROBE_TOKEN}

        def answered() -> bool:
            try:
                return self.post("/describe_index_stats", {}, collection, headers=headers).status_code == 200
            except httpx2.HTTPError:
                return False

        self.until(f"an answer of {collection}", answered, deadline)

    def stop(self) -> None:
        self.http.close()
        self.gateway.stop()
        self.agent.stop()
        self.milvus.kill()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(text)
    os.replace(draft, path)
