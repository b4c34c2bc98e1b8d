"""The gateway's routes.

POST /models/{id}                        the model's task; an id may hold a slash
POST /models/{id}/pipeline/{task}
POST /pipeline/{task}/{id}
POST /hf-inference/models/…              the same, as Hugging Face's router has it
GET  /status/{id}                        Loaded, Loadable or TooBig, as the Inference API says it
GET  /models                             what there is: id, task, state
GET  /-/state  /healthz  /readyz         those of every gateway
"""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workloads.edge import bodies, gateway, tokens
from workloads.edge.document import MODEL_REVISION_HEADER
from workloads.edge.errors import EngineFailed, EngineTimeout, InvalidRequest, NotFound, NotReady, Unauthorized
from workloads.edge.kept import Kept
from workloads.inference.config import (
    REVISION_HEADER,
    Config,
    Failure,
    Model,
    Placement,
    Revision,
    State,
)
from workloads.inference.gateway import tasks
from workloads.inference.gateway.fleet import Engine, Fleet, Refused, infer

ANSWER_SECONDS: Final = 30.0
"""Within which a request is answered, both tries together."""
COMPUTE_TYPE: Final = "cpu"
ORDER: Final = (State.LOADED, State.LOADING, State.FETCHING, State.PENDING, State.FAILED)
"""The most advanced first."""
WAIT_SECONDS: Final = {State.LOADING: 5.0, State.FETCHING: 20.0, State.PENDING: 20.0, State.FAILED: 60.0}
"""`estimated_time` of a model that was not loaded here before."""


@dataclass(frozen=True)
class Gateway:
    """The handlers, and what they look at."""

    config: Kept[Config]
    fleet: Fleet

    async def ask(self, request: Request) -> Response:
        """POST to a model."""
        started = time.monotonic()
        model = self._model(request.path_params["id"])
        request.state.log = {"model": model.model_id}
        revision = self._authorize(request, model)
        task = request.path_params.get("task", model.task)
        if task != model.task:
            raise InvalidRequest(f"task: model {model.model_id} serves {model.task}, got {task[:60]}")
        body = await bodies.read(dict(request.headers.items()), request.stream())
        query = tasks.read(task, bodies.parse(body))
        embeddings, counts = await self._embed(model, revision, query.texts, started + ANSWER_SECONDS)
        tasks.refuse_too_long(query, counts)
        # Numbers as text take a millisecond a thousand: many of them are written beside the event loop.
        content = await run_in_threadpool(_render, query, embeddings)
        seconds = time.monotonic() - started
        request.state.log |= {"texts": len(query.texts), "tokens": int(counts[:, 1].sum())}
        headers = {
            "x-compute-time": f"{seconds:.3f}",
            "x-compute-type": COMPUTE_TYPE,
            "x-compute-tokens": str(int(counts[:, 1].sum())),
            MODEL_REVISION_HEADER: revision.digest,
        }
        return Response(content, media_type="application/json", headers=headers)

    async def status(self, request: Request) -> Response:
        """GET the state of one model."""
        model = self._model(request.path_params["id"])
        best = self._best(model)
        too_big = best is not None and best.reason is Failure.DOES_NOT_FIT
        loaded = best is not None and best.state is State.LOADED
        state = "Loaded" if loaded else "TooBig" if too_big else "Loadable"
        return JSONResponse(
            {"loaded": loaded, "state": state, "compute_type": COMPUTE_TYPE, "framework": model.framework}
        )

    async def models(self, request: Request) -> Response:
        """GET what there is."""
        found = [(model, self._best(model)) for model in self.config.value.models]
        return JSONResponse(
            [
                {"id": model.model_id, "task": model.task, "state": best.state if best else State.PENDING}
                for model, best in found
            ]
        )

    def _model(self, model_id: str) -> Model:
        found = next((model for model in self.config.value.models if model.model_id == model_id), None)
        if found is None:
            raise NotFound(f"model {model_id[:120]!r} is not served here")
        return found

    def _authorize(self, request: Request, model: Model) -> Revision:
        """The revision that has to answer. Raises Unauthorized, Forbidden, NotReady, NotFound."""
        if self._is_probe(request):
            wanted = request.headers.get(REVISION_HEADER) or model.active
        else:
            wanted = model.active
            if model.tokens:
                others = [known for other in self.config.value.models for known in other.tokens]
                tokens.check(tokens.bearer(request.headers.get("authorization", "")), model.tokens, others)
        if not wanted:
            raise self._not_ready(model)
        revision = next((revision for revision in model.revisions if revision.digest == wanted), None)
        if revision is None:
            raise NotFound(f"model {model.model_id} has no revision {wanted[:64]}")
        return revision

    def _is_probe(self, request: Request) -> bool:
        """Whether the operator asks. A token that is not its own, or a revision without one, is refused."""
        if gateway.operator_asks(request, self.config.value.probe_token):
            return True
        if REVISION_HEADER in request.headers:
            raise Unauthorized(gateway.NOT_THE_OPERATORS)
        return False

    async def _embed(
        self, model: Model, revision: Revision, texts: tuple[str, ...], deadline: float
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        await self.fleet.settled()
        parts = tasks.split(len(texts), model.max_batch_size)
        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(self._ask_one(model, revision, texts[part], deadline)) for part in parts]
        results = [answer.result() for answer in answers]
        return np.concatenate([result[0] for result in results]), np.concatenate([result[1] for result in results])

    async def _ask_one(
        self, model: Model, revision: Revision, texts: tuple[str, ...], deadline: float
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """One part of a request, asked of one server and, if that fails, of one other."""
        asked: list[Engine] = []
        for _ in range(2):
            engine = next((e for e in self.fleet.holding(model.name, revision.digest) if e not in asked), None)
            seconds = deadline - time.monotonic()
            if engine is None or seconds <= 0:
                break
            asked.append(engine)
            try:
                return await infer(engine, model.name, revision.version, texts, seconds)
            except Refused:
                continue
        if not asked:
            raise self._not_ready(model)
        if time.monotonic() >= deadline:
            raise EngineTimeout(f"model {model.model_id}: no answer within {ANSWER_SECONDS:.0f} s")
        raise EngineFailed(f"model {model.model_id}: the engine failed; it is started anew, ask again in some seconds")

    def _not_ready(self, model: Model) -> NotReady:
        best = self._best(model)
        state = best.state if best else State.PENDING
        if state is State.FAILED and best:
            return NotReady(f"Model {model.model_id} can't be loaded: {best.reason}", WAIT_SECONDS[state])
        seconds = (best.load_seconds if best else 0.0) or WAIT_SECONDS.get(state, 1.0)
        return NotReady(f"Model {model.model_id} is currently loading", max(1.0, seconds))

    def _best(self, model: Model) -> Placement | None:
        """The most advanced placement of the revision that answers or, before there is one, is to."""
        wanted = model.active or model.revisions[-1].digest
        held = [p for p in self.fleet.placements() if p.model == model.name and p.revision == wanted]
        return min(held, key=lambda placement: ORDER.index(placement.state), default=None)


def build(config: Kept[Config], fleet: Fleet, *follow: Any) -> Any:
    """The ASGI app. `follow` are coroutines to run beside it."""
    handlers = Gateway(config, fleet)
    asks = [
        Route(f"{prefix}{path}", handlers.ask, methods=["POST"])
        for prefix in ("", "/hf-inference")
        for path in ("/models/{id:path}/pipeline/{task}", "/models/{id:path}", "/pipeline/{task}/{id:path}")
    ]
    routes = [*asks, Route("/models", handlers.models), Route("/status/{id:path}", handlers.status)]
    return gateway.build(routes, config, fleet.placements, fleet.run(), *follow)


def _render(query: tasks.Query, embeddings: npt.NDArray[np.float32]) -> bytes:
    return json.dumps(tasks.answer(query, embeddings)).encode()
