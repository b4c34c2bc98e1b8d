"""An operator that crashes at a write of its own, and what has to come of that whatever kind it is for.

The crash points are the writes that an undisturbed run is seen to make: each child and each deletion once, a
configuration for each of its contents, a status for each set of conditions.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
from lightkube import AsyncClient, KubeConfig
from lightkube.resources.core_v1 import ConfigMap

from operators.queue import STEADY
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE

EVENT_SECONDS = 0.2
"""After which something has happened that an operator would be woken by."""
SCENE = re.compile(r"undisturbed|crashed-\d+")
"""What objects are called."""


PASSING = re.compile(r"patch \w+Status .*=(False|Unknown).*")
"""A status of what is under way: one run's look finds it, another's comes when it is over."""


class CrashError(BaseException):
    """The operator ends here: nothing of it goes on."""


class Client(AsyncClient):
    """Names its writes, and crashes at one of them: before the API server hears of it, or after."""

    def __init__(self, kubeconfig: KubeConfig, crash_at: str = "", before: bool = True) -> None:
        super().__init__(kubeconfig)
        self.writes: list[str] = []
        """Each kind of write once, in order: a child that is applied again as it is, or a status that says again what
        it said, is no other crash point."""
        self._configurations: list[str] = []
        self._crash_at, self._before = crash_at, before

    async def patch(self, res: Any, name: str, obj: Any, **options: Any) -> Any:
        what = f"patch {res.__name__}{self._content(res, name, obj)}"
        return await self._write(what, lambda: super(Client, self).patch(res, name, obj, **options))

    async def delete(self, res: Any, name: str, **options: Any) -> None:  # type: ignore[override]
        await self._write(f"delete {res.__name__} {name}", lambda: super(Client, self).delete(res, name, **options))

    def _content(self, res: Any, name: str, obj: Any) -> str:
        if res is ConfigMap:
            document = str(obj.data)
            if document not in self._configurations:
                self._configurations.append(document)
            return f" #{self._configurations.index(document)}"
        if res.__name__.endswith("Status"):
            return "".join(f" {entry['type']}={entry['status']}" for entry in obj["status"]["conditions"])
        return f" {SCENE.sub('…', name)}"

    async def _write(self, what: str, write: Callable[[], Awaitable[Any]]) -> Any:
        if what not in self.writes:
            self.writes.append(what)
        if what == self._crash_at and self._before:
            raise CrashError(what)
        done = await write()
        if what == self._crash_at:
            raise CrashError(what)
        return done


class Reconciler(Protocol):
    """That of a kind."""

    async def reconcile(self, namespace: str) -> float: ...


@dataclass(frozen=True)
class Operator:
    """The operator of one kind, as a test runs it."""

    cluster: Cluster
    make: Callable[[Client, httpx2.AsyncClient], Reconciler]
    done: Callable[[], bool]
    """Whether all that is declared is as it ought to be."""
    versions: Callable[[], dict[str, str]]
    """The resourceVersion of each object and child: equal twice means that nothing was written between."""

    def client(self, crash_at: str = "", before: bool = True) -> Client:
        return Client(KubeConfig.from_file(self.cluster.identity("operator")), crash_at, before)

    async def run(self, client: Client) -> None:
        """A new operator, without memory, until it has nothing more to do but to wait for others."""
        async with httpx2.AsyncClient() as http, asyncio.timeout(60):
            reconciler, before = self.make(client, http), self.versions()
            while (again := await reconciler.reconcile(NAMESPACE)) < STEADY:
                if self.done() and before == (before := self.versions()):
                    break
                await asyncio.sleep(min(again, EVENT_SECONDS))

    async def reconcile_once(self) -> None:
        """One look, that of an operator which is not waited for."""
        async with httpx2.AsyncClient() as http:
            await self.make(self.client(), http).reconcile(NAMESPACE)

    async def converges_from_every_crash(self, prepare: Callable[[str], Awaitable[None]]) -> None:
        """`prepare` sets the scene, with a name that is a new one each time; then the operator works, crashes at each
        of its writes in turn, and works again."""
        await prepare("undisturbed")
        undisturbed = self.client()
        await self.run(undisturbed)
        assert self.done()
        assert undisturbed.writes
        # After one write is before the next of these: between them the operator reads, applies what is there already
        # and probes (a collection's probe writes one vector, the same each time).
        points = [*((write, True) for write in undisturbed.writes), (undisturbed.writes[-1], False)]
        for number, (crash_at, before) in enumerate(points):
            where = f"{'before' if before else 'after'}: {crash_at}"
            await prepare(f"crashed-{number}")
            crashed = await self._crashes(self.client(crash_at, before))
            assert crashed or (PASSING.fullmatch(crash_at) and crash_at != undisturbed.writes[-1]), (
                f"never came to it: {where}"
            )
            await self.run(self.client())
            assert self.done(), where
            await self.is_at_rest(where)

    async def _crashes(self, client: Client) -> bool:
        """Whether it did, on its way to where it has nothing more to do."""
        try:
            await self.run(client)
        except CrashError:
            return True
        return False

    async def is_at_rest(self, where: str = "") -> None:
        """A reconcile that has nothing to do writes nothing."""
        settled = self.versions()
        await self.run(self.client())
        assert self.versions() == settled, where
