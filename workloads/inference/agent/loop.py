"""The agent's loop: look, decide (`plan`), begin what was decided, publish; and again, each second or when woken."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from workloads.edge.cluster import Unreachable
from workloads.edge.kept import Kept
from workloads.edge.published import Published
from workloads.inference import sources
from workloads.inference.agent import plan
from workloads.inference.agent.plan import (
    Action,
    Fetch,
    Heal,
    Held,
    Key,
    Load,
    Observed,
    Reload,
    Remove,
    Retire,
    Trouble,
)
from workloads.inference.agent.triton import DeadProcess, Gone, InvalidModel, Triton, TritonError
from workloads.inference.config import Config, Failure, Model, Placement, Revision
from workloads.inference.repository import Repository, render_config

PERIOD_SECONDS: Final = 1.0
PROBE_PERIOD_SECONDS: Final = 2.0
PROBES_TO_DEATH: Final = 3
"""So many probes in a row without a good answer make a version dead; one, if Triton says so itself."""

log = logging.getLogger(__name__)


class Agent:
    """What an agent knows, and does about it. One event loop; nothing here is called from another thread."""

    def __init__(
        self,
        *,
        config: Kept[Config],
        repository: Repository,
        triton: Triton,
        claims: Path,
        token_of: Callable[[str], Awaitable[str | None]],
        memory_limit: int = 0,
    ) -> None:
        """`token_of` gives a model's token for its source; it may raise Unreachable."""
        self._config, self._repository, self._triton = config, repository, triton
        self._claims, self._token_of, self._memory_limit = claims, token_of, memory_limit
        self.placements: Published[tuple[Placement, ...]] = Published(())
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._models: dict[str, Model] = {}
        self._ready: dict[str, frozenset[int]] | None = None
        self._settings: dict[str, str] = {}
        self._sizes: dict[Held, int] = {}
        self._dead: set[Held] = set()
        self._misses: dict[Held, int] = {}
        self._troubles: dict[Key, Trouble] = {}
        self._fetching: set[Held] = set()
        self._busy: dict[str, int] = {}
        self._unwanted_since: dict[Held, float] = {}
        self._digests: dict[Held, str] = {}
        self._loads: dict[Key, int] = {}
        self._load_seconds: dict[Key, float] = {}
        config.listeners.append(self._wake.set)

    async def run(self) -> None:
        """Follow the configuration. Ends by cancellation."""
        self._repository.prepare()
        while True:
            self._wake.clear()
            config = self._config.value
            self._forget_troubles_of_changed(config)
            observed = await self._observe(config)
            actions, placements = plan.plan(config, observed)
            for action in actions:
                self._begin(action)
            if actions:
                continue  # what has begun shows in another look
            await self.placements.publish(placements)
            try:
                async with asyncio.timeout(PERIOD_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def probe(self) -> None:
        """Ask every loaded version, again and again: a dead process stays READY. Ends by cancellation."""
        while True:
            await asyncio.sleep(PROBE_PERIOD_SECONDS)
            ready = {(model, version) for model, versions in (self._ready or {}).items() for version in versions}
            await asyncio.gather(*(self._probe(held) for held in ready if held[0] not in self._busy))

    async def _observe(self, config: Config) -> Observed:
        try:
            self._ready = await self._triton.ready()
        except TritonError:
            self._ready = None
            self._dead.clear()
        fetched, written = self._repository.fetched(), self._repository.written()
        here = {(model, version) for model, versions in fetched.items() for version in versions}
        wanted = {(model.name, revision.version) for model in config.models for revision in model.revisions}
        self._digests = {held: digest for held, digest in self._digests.items() if held in here} | {
            (model.name, revision.version): revision.digest for model in config.models for revision in model.revisions
        }
        now = time.monotonic()
        self._unwanted_since = {held: self._unwanted_since.get(held, now) for held in here - wanted}
        self._sizes = {held: self._sizes.get(held) or self._repository.size(*held) for held in here}
        return Observed(
            now=now,
            engine=self._ready,
            fetched=fetched,
            written=written,
            sizes=self._sizes,
            outdated=frozenset(model.name for model in config.models if self._outdated(model)),
            dead=frozenset(self._dead),
            troubles=dict(self._troubles),
            fetching=frozenset(self._fetching),
            busy=dict(self._busy),
            unwanted_since=self._unwanted_since,
            digests=self._digests,
            loads=self._loads,
            load_seconds=self._load_seconds,
            memory_limit=self._memory_limit,
        )

    def _outdated(self, model: Model) -> bool:
        loaded = self._settings.get(model.name) or self._repository.configured(model.name)
        return bool(loaded) and loaded != render_config(model)

    def _forget_troubles_of_changed(self, config: Config) -> None:
        declared = {model.name: replace(model, active="", tokens=()) for model in config.models}
        for name, revision in list(self._troubles):
            if declared.get(name) != self._models.get(name):
                del self._troubles[name, revision]
        self._models = declared

    def _begin(self, action: Action) -> None:
        match action:
            case Fetch(model, revision):
                self._fetching.add((model, revision.version))
                work = self._fetch(model, revision)
            case Load(model=model, revision=revision, keep=keep):
                self._busy[model.name] = revision.version
                work = self._load(model, revision, keep)
            case Reload(model):
                self._busy[model.name] = 0
                work = self._reload(model)
            case Heal(model, revision):
                self._busy[model.name] = 0
                work = self._heal(model, revision)
            case Retire(name, version):
                self._busy[name] = 0
                work = self._retire(name, version)
            case Remove(name):
                self._busy[name] = 0
                work = self._remove(name)
        log.info("begin", extra=_described(action))
        task = asyncio.create_task(self._finish(action, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, action: Action, work: Awaitable[None]) -> None:
        started = time.monotonic()
        try:
            await work
        except (TritonError, OSError) as error:  # each action answers for what it expects; these leave all as it was
            log.warning("failed", extra={**_described(action), "error": f"{type(error).__name__}: {error}"})
            await asyncio.sleep(PERIOD_SECONDS)
        finally:
            if isinstance(action, Fetch):
                self._fetching.discard((action.model, action.revision.version))
            else:
                self._busy.pop(action.model if isinstance(action, Retire | Remove) else action.model.name, None)
            log.info("end", extra={**_described(action), "seconds": round(time.monotonic() - started, 3)})
            self._wake.set()

    async def _fetch(self, model: str, revision: Revision) -> None:
        landing = self._repository.landing(model, revision.version)
        try:
            token = await self._token_of(model) if revision.uri.startswith("hf://") else None
            await asyncio.to_thread(sources.fetch, revision, landing, self._claims, token)
            self._repository.land(model, revision.version)
        except sources.SourceError as error:
            self._fail((model, revision.digest), error.failure, str(error))
        except Unreachable as error:
            self._fail((model, revision.digest), Failure.FETCH_FAILED, f"source {revision.uri}: {error}")
        except OSError as error:
            self._fail((model, revision.digest), Failure.FETCH_FAILED, f"source {revision.uri}: {error.strerror}")
        else:
            trouble = self._troubles.get((model, revision.digest))
            if trouble and trouble.reason is not Failure.INVALID_MODEL:  # that one is over when a load says so
                del self._troubles[(model, revision.digest)]

    async def _load(self, model: Model, revision: Revision, keep: frozenset[int]) -> None:
        key, version = (model.name, revision.digest), revision.version
        for other in self._repository.written().get(model.name, frozenset()) - keep - {version}:
            self._repository.leave(model.name, other)
        self._repository.enter(model.name, version)
        self._repository.configure(model)
        started = time.monotonic()
        try:
            await self._triton.load(model.name)
            if version not in (await self._triton.ready()).get(model.name, ()):
                raise TritonError("the engine took the load and does not serve the version")
        except Gone:
            message = f"model {model.name}: the engine ended while it loaded this; is its memory limit too low?"
            self._fail(key, Failure.LOAD_FAILED, message, hold=True)
        except TritonError as error:
            invalid = isinstance(error, InvalidModel)
            reason = Failure.INVALID_MODEL if invalid else Failure.LOAD_FAILED
            self._fail(key, reason, f"model {model.name}: {error}")
            # What is left there would be loaded, and fail, with the next load of the good version.
            self._repository.leave(model.name, version)
            if invalid and not revision.expected:  # whoever mends the folder does not touch the declaration
                self._repository.discard(model.name, version)
        else:
            self._settings[model.name] = render_config(model)
            self._loaded(key, version, time.monotonic() - started)

    async def _reload(self, model: Model) -> None:
        started = time.monotonic()
        self._repository.configure(model)
        try:
            await self._triton.load(model.name)
        except TritonError as error:
            # Triton goes on with the old settings.
            self._fail((model.name, model.revisions[0].digest), Failure.LOAD_FAILED, f"model {model.name}: {error}")
            return
        self._settings[model.name] = render_config(model)
        for revision in model.revisions:
            if revision.version in self._repository.written().get(model.name, ()):
                self._loaded((model.name, revision.digest), revision.version, time.monotonic() - started)

    async def _heal(self, model: Model, revision: Revision) -> None:
        key, version = (model.name, revision.digest), revision.version
        started = time.monotonic()
        self._repository.touch(model.name, version)
        try:
            await self._triton.load(model.name)
        except TritonError as error:
            self._fail(key, Failure.LOAD_FAILED, f"model {model.name}: {error}")
            return
        trouble = self._troubles.get(key)
        self._loaded(key, version, time.monotonic() - started)
        if trouble:  # not over before a probe is answered
            self._troubles[key] = trouble

    async def _retire(self, model: str, version: int) -> None:
        served = (self._ready or {}).get(model, frozenset())
        if version in served:
            self._repository.leave(model, version)
            await (self._triton.load(model) if served - {version} else self._triton.unload(model))
        self._repository.discard(model, version)
        self._dead.discard((model, version))

    async def _remove(self, model: str) -> None:
        if model in (self._ready or {}):
            await self._triton.unload(model)
        self._repository.discard_model(model)
        self._settings.pop(model, None)

    def _loaded(self, key: Key, version: int, seconds: float) -> None:
        self._loads[key] = self._loads.get(key, 0) + 1
        self._load_seconds[key] = seconds
        self._troubles.pop(key, None)
        self._dead.discard((key[0], version))
        self._misses.pop((key[0], version), None)

    def _fail(self, key: Key, reason: Failure, message: str, hold: bool = False) -> None:
        before = self._troubles.get(key)
        attempts = before.attempts + 1 if before else 1
        wait = plan.HOLD_SECONDS if hold and attempts > 1 else plan.backoff(attempts)
        self._troubles[key] = Trouble(reason, message, attempts, time.monotonic() + wait)
        log.warning("failed", extra={"model": key[0], "revision": key[1], "reason": reason, "error": message})

    async def _probe(self, held: Held) -> None:
        model, version = held
        try:
            await self._triton.probe(model, version)
        except Gone:
            self._wake.set()  # the engine is away: say so at once
            return
        except TritonError as error:
            self._misses[held] = self._misses.get(held, 0) + 1
            if model in self._busy or (self._misses[held] < PROBES_TO_DEATH and not isinstance(error, DeadProcess)):
                return
            self._mark_dead(held, str(error))
            return
        self._misses.pop(held, None)
        if held not in self._dead and (key := self._key(held)):
            self._troubles.pop(key, None)

    def _mark_dead(self, held: Held, why: str) -> None:
        key = self._key(held)
        if held in self._dead or key is None:
            return
        self._dead.add(held)
        before = self._troubles.get(key)
        attempts = before.attempts + 1 if before else 1
        wait = plan.backoff(attempts) if before else 0.0
        message = f"model {held[0]}: the engine does not answer for this revision: {why}"
        self._troubles[key] = Trouble(Failure.LOAD_FAILED, message, attempts, time.monotonic() + wait)
        log.warning("dead", extra={"model": held[0], "revision": key[1], "error": why})
        self._wake.set()

    def _key(self, held: Held) -> Key | None:
        model = self._models.get(held[0])
        return next(
            (
                (held[0], revision.digest)
                for revision in (model.revisions if model else ())
                if revision.version == held[1]
            ),
            None,
        )


def _described(action: Action) -> dict[str, object]:
    described: dict[str, object] = {"action": type(action).__name__}
    match action:
        case Fetch(model, revision):
            described |= {"model": model, "revision": revision.digest}
        case Load(model=model, revision=revision) | Heal(model, revision):
            described |= {"model": model.name, "revision": revision.digest}
        case Reload(model):
            described |= {"model": model.name}
        case Retire(name, version):
            described |= {"model": name, "version": version}
        case Remove(name):
            described |= {"model": name}
    return described
