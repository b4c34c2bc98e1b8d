"""Triton, agent and gateway as processes, each from the environment that its image is made of."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.integration.parts.process import Process
from tests.waiting import answers
from tools.environments import environment
from workloads.edge import servers
from workloads.edge.document import PROBE_TOKEN_HEADER, token_hash
from workloads.inference.config import Config, Model, Placement, Revision, State, parse_placements, render

ROOT: Final = Path(__file__).parents[3]
HOST: Final = "127.0.0.1"
PROBE_TOKEN: Final = "probe-token-of-the-tests"


def digest(name: str) -> str:
    """The digest of a revision that the tests call by a name."""
    return hashlib.sha256(name.encode()).hexdigest()


def revision(name: str, uri: str, expected: str = "") -> Revision:
    return Revision(digest(name), uri, expected)


def _environment(home: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOMESPUN_CACHE")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home), **variables}


@dataclass
class Server:
    """One pod's worth: tritonserver and its agent, sharing a repository."""

    folder: Path
    claims: Path
    port: int
    """gRPC; HTTP and the agent are the next two."""
    host: str = HOST
    agent_arguments: tuple[str, ...] = ("--standalone",)
    variables: dict[str, str] = field(default_factory=dict)
    triton: Process = field(init=False)
    agent: Process = field(init=False)

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start_triton()
        self.start_agent()

    def start_triton(self) -> None:
        self.triton = Process(
            [environment("triton") / "bin/python", "-m", "workloads.inference.server",
             "--repository", self.folder / "repository/models", "--grpc-address", self.host,
             "--grpc-port", str(self.port), "--http-port", str(self.port + 1)],
            self.folder / "triton.log",
            _environment(self.folder),
        )  # fmt: skip

    def start_agent(self) -> None:
        self.agent = Process(
            [environment("serving") / "bin/python", "-m", "workloads.inference.agent",
             "--host", self.host, "--port", str(self.port + 2), "--root", self.folder / "repository",
             "--claims", self.claims, "--state", self.folder / "agent",
             "--triton", f"http://{HOST}:{self.port + 1}", *self.agent_arguments],
            self.folder / "agent.log",
            _environment(self.folder, **self.variables),
        )  # fmt: skip

    def kill_triton(self) -> None:
        """SIGKILL to tritonserver and its processes: it is PID 1 of its container, the kernel takes the rest along."""
        self.triton.kill()

    def stubs(self) -> dict[int, int]:
        """The processes of loaded versions: version → pid."""
        found = {}
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                line = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if line[0].endswith(b"triton_python_backend_stub") and str(self.folder).encode() in line[1]:
                found[int(line[1].split(b"/")[-2])] = int(process.name)
        return found

    def placements(self) -> tuple[Placement, ...]:
        try:
            return parse_placements(httpx2.get(f"http://{self.host}:{self.port + 2}/state").text)
        except httpx2.HTTPError:
            return ()

    def placement(self, name: str) -> Placement | None:
        """Of the revision that the tests call so."""
        return next((held for held in self.placements() if held.revision == digest(name)), None)

    def until_state(self, name: str, state: State, deadline: float = 30) -> Placement:
        def reached() -> bool:
            held = self.placement(name)
            return held is not None and held.state is state

        self.agent.until(f"{name} {state}", reached, deadline)
        held = self.placement(name)
        assert held
        return held

    def stop(self) -> None:
        self.agent.stop()
        self.triton.stop()
        self.triton.kill()


@dataclass
class Serving:
    """A gateway and its servers."""

    folder: Path
    servers: list[Server]
    port: int = 18080
    gateway_arguments: tuple[str, ...] = ("--standalone",)
    variables: dict[str, str] = field(default_factory=dict)
    gateway: Process = field(init=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def server(self) -> Server:
        return self.servers[0]

    def start(self) -> None:
        for server in self.servers:
            server.start()
        self.publish()
        self.start_gateway()

    def start_gateway(self) -> None:
        (self.folder / "gateway").mkdir(parents=True, exist_ok=True)
        self.gateway = Process(
            [environment("serving") / "bin/python", "-m", "workloads.inference.gateway", "--host", HOST,
             "--port", str(self.port), "--state", self.folder / "gateway", *self.gateway_arguments],
            self.folder / "gateway.log",
            _environment(self.folder, **self.variables),
        )  # fmt: skip
        self.gateway.until("/healthz", lambda: answers(f"{self.url}/healthz"))

    def publish(self) -> None:
        """Tell the gateway of the servers, as EndpointSlices would."""
        found = tuple(servers.Server(s.host, (("agent", s.port + 2), ("grpc", s.port))) for s in self.servers)
        _write(self.folder / "gateway/servers.json", servers.render(found))

    def declare(self, *models: Model) -> None:
        """Tell gateway and agents what to serve, as the operator would."""
        self.declare_to_agents(*models)
        _write(self.folder / "gateway/config.json", _document(models))

    def declare_to_agents(self, *models: Model) -> None:
        """Tell the agents alone, as if the gateway's watch were late."""
        for server in self.servers:
            _write(server.folder / "agent/config.json", _document(models))

    def ask(self, model_id: str, body: Any, path: str = "/models/{id}", **options: Any) -> httpx2.Response:
        return httpx2.post(f"{self.url}{path.format(id=model_id)}", json=body, timeout=40, **options)

    def state(self) -> tuple[Placement, ...]:
        return parse_placements(httpx2.get(f"{self.url}/-/state", headers={PROBE_TOKEN_HEADER: PROBE_TOKEN}).text)

    def until(self, what: str, condition: Callable[[], object], deadline: float = 30) -> None:
        self.gateway.until(what, condition, deadline)

    def until_answers(self, model_id: str, deadline: float = 30) -> None:
        self.until(f"an answer of {model_id}", lambda: self.ask(model_id, {"inputs": "a"}).status_code == 200, deadline)

    def stop(self) -> None:
        self.gateway.stop()
        for server in self.servers:
            server.stop()


def _document(models: tuple[Model, ...]) -> str:
    return render(Config(models, token_hash(PROBE_TOKEN)))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(text)
    os.replace(draft, path)
