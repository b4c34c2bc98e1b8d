"""The agents beside the engines of a Service, as a gateway follows them.

Each agent is asked for its state by a long poll (`workloads.edge.published`), so a load, a switch or a dead process is
known here at once. One that does not answer keeps the placements that it last had.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Protocol, TypeVar

import httpx2

from workloads.edge.document import ConfigError
from workloads.edge.kept import Kept
from workloads.edge.servers import Server

POLL_SECONDS: Final = 20
"""How long an agent may hold an answer without news."""
RETRY_SECONDS: Final = 0.5
SETTLE_SECONDS: Final = 2.0
"""How long the first requests wait for the agents' first answers."""
REPORTED_SECONDS: Final = 5.0
"""An agent that has not answered for so long is no longer quoted to the operator."""

log = logging.getLogger(__name__)


class Reported(Protocol):
    """A placement: a frozen dataclass of the kind's `config`, with the agent's address filled in here."""

    @property
    def server(self) -> str:
        """host:port of the agent."""


P = TypeVar("P", bound=Reported)


@dataclass(eq=False)
class Agent(Generic[P]):
    """One agent, and what it last said."""

    server: Server
    placements: tuple[P, ...] = ()
    answered: float = -REPORTED_SECONDS
    """When it last answered (monotonic seconds)."""
    reachable: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after the first look at it, whatever came of it."""


class Agents(Generic[P]):
    """The agents of all servers of a Service."""

    def __init__(self, servers: Kept[tuple[Server, ...]], port: str, parse: Callable[[str], tuple[P, ...]]) -> None:
        """`port` is the name of the agents' port, `parse` reads what they answer or raises ConfigError."""
        self._servers, self._port, self._parse = servers, port, parse
        self._agents: dict[Server, Agent[P]] = {}
        self._http = httpx2.AsyncClient(trust_env=False, timeout=httpx2.Timeout(5.0, read=POLL_SECONDS + 5.0))
        self._changed = asyncio.Event()
        servers.listeners.append(self._changed.set)

    async def run(self) -> None:
        """Follow the servers and their agents. Ends by cancellation."""
        tasks: dict[Server, asyncio.Task[None]] = {}
        try:
            while True:
                self._changed.clear()
                wanted = {server for server in self._servers.value if server.address(self._port)}
                for server in wanted - set(tasks):
                    agent = self._agents[server] = Agent(server)
                    tasks[server] = asyncio.create_task(self._follow(agent))
                for server in set(tasks) - wanted:
                    tasks.pop(server).cancel()
                    del self._agents[server]
                await self._changed.wait()
        finally:
            for task in tasks.values():
                task.cancel()
            await self._http.aclose()

    def of(self, server: Server) -> Agent[P]:
        """The agent of a server; one that has said nothing yet, if it is new."""
        return self._agents.get(server) or Agent(server)

    async def settled(self) -> None:
        """Wait until each agent was asked once: a gateway that has just started does not say that nothing is loaded."""
        agents = list(self._agents.values())
        if all(agent.asked.is_set() for agent in agents):
            return
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await asyncio.gather(*(agent.asked.wait() for agent in agents))
        except TimeoutError:
            pass

    def placements(self) -> tuple[P, ...]:
        """What all agents that answer report, with their addresses filled in."""
        now = time.monotonic()
        return tuple(
            _from(placement, agent.server.address(self._port))
            for _, agent in sorted(self._agents.items())
            if agent.reachable or now - agent.answered < REPORTED_SECONDS
            for placement in agent.placements
        )

    async def _follow(self, agent: Agent[P]) -> None:
        url = f"http://{agent.server.address(self._port)}/state"
        etag = ""
        while True:
            # A first look after a silence must not wait for news.
            headers = {"if-none-match": etag, "prefer": f"wait={POLL_SECONDS}"} if agent.reachable else {}
            try:
                answer = await self._http.get(url, headers=headers)
                if answer.status_code == 200:
                    agent.placements = self._parse(answer.text)
                    etag = answer.headers.get("etag", "")
                agent.reachable, agent.answered = answer.status_code in (200, 304), time.monotonic()
            except (httpx2.HTTPError, ConfigError) as error:
                if agent.reachable:
                    log.warning("agent lost", extra={"server": agent.server.host, "error": type(error).__name__})
                    agent.answered = time.monotonic()
                agent.reachable = False
            agent.asked.set()
            if not agent.reachable or not etag:  # one that can't be waited on is not asked without a pause
                await asyncio.sleep(RETRY_SECONDS)


def _from(placement: P, address: str) -> P:
    told: Any = placement
    filled: P = replace(told, server=address)
    return filled
