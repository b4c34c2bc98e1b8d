"""A vast.ai of our own on the loopback, held to what the real one documents, with the faults that others met in it."""

import base64
import json
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.integration.parts import vast_contract as contract
from tests.integration.parts.vast_market import Instance, Market, Refusal

ACCOUNT_KEY: Final = "the-account-key-0123456789abcdef0123456789abcdef"
OPERATIONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda found, asked: found == asked,
    "neq": lambda found, asked: found != asked,
    "gt": lambda found, asked: found > asked,
    "lt": lambda found, asked: found < asked,
    "gte": lambda found, asked: found >= asked,
    "lte": lambda found, asked: found <= asked,
    "in": lambda found, asked: found in asked,
    "notin": lambda found, asked: found not in asked,
}


@dataclass(frozen=True)
class Fault:
    """How a call goes wrong."""

    status: int = 0
    """Of the answer; 0 for a connection that ends without one, in its midst where `body` is CUT."""
    body: str = ""
    """REQUEST in it is replaced by what was sent."""
    done: bool = False
    """What was asked is done all the same."""


CUT: Final = "cut"
REPLY_LOST: Final = Fault(done=True)
REPLY_CUT: Final = Fault(body=CUT, done=True)
BAD_GATEWAY: Final = Fault(502, "<html>Bad Gateway</html>", done=True)
NO_SUCCESS: Final = Fault(200, '{"success": false, "error": "invalid_args", "msg": "it did not work"}')
TAKEN: Final = Fault(
    410, '{"success": false, "error": "no_such_ask", "msg": "error 410/3907: no_such_ask is no longer available."}'
)
TOO_OFTEN: Final = Fault(429, "API requests too frequent")
ECHO: Final = Fault(400, '{"success": false, "error": "invalid_args", "msg": "Invalid args: REQUEST"}')
NOTHING_CAME_OF_IT: Final = Fault(
    200, '{"success": true, "new_contract": 424242, "instance_api_key": "no-instance-no-key"}'
)


@dataclass(frozen=True)
class Answer:
    """What an endpoint says, and what is to happen before it is said."""

    found: dict[str, Any] | list[Any]
    model: type[BaseModel]
    before: Callable[[], None] | None = None


Handler = Callable[[Request, Any, str], Answer]


class VastApi:
    """The server. `market` is what stands behind it; `fail` makes the next calls of an endpoint go wrong."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self.reset()
        app = Starlette(
            routes=[
                self._route("search", "POST", "/api/v0/bundles/", 6.0, self._search),
                self._route("create", "PUT", "/api/v0/asks/{id:int}/", 4.5, self._create),
                self._route("list", "GET", "/api/v1/instances/", 1.0, self._list),
                self._route("show", "GET", "/api/v0/instances/{id:int}/", 2.0, self._show),
                self._route("manage", "PUT", "/api/v0/instances/{id:int}/", 1.0, self._manage),
                self._route("destroy", "DELETE", "/api/v0/instances/{id:int}/", 3.0, self._destroy),
                self._route("ssh_keys", "GET", "/api/v0/ssh/", 1.0, self._ssh_keys),
                self._route("add_ssh_key", "POST", "/api/v0/ssh/", 1.0, self._add_ssh_key),
                self._route("account", "GET", "/api/v0/users/current/", 2.0, self._account),
                self._route("account", "GET", "/api/v0/users/current", 2.0, self._account),  # the client's
            ]
        )
        self._server = uvicorn.Server(uvicorn.Config(app, host, 0, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def reset(self) -> None:
        """As on the first day: one server does for many tests."""
        self.market = Market()
        self.scale = 0.01
        """Of the documented seconds between two calls of an endpoint."""
        self.asked: Counter[str] = Counter()
        """Calls of each endpoint, those that were too soon among them."""
        self.too_soon: Counter[str] = Counter()
        self.destroyed_by: list[str] = []
        """The key of each call that destroyed an instance."""
        self.skipped_page = False
        """Lists leave out their second page."""
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._called: dict[tuple[str, str], float] = {}

    def start(self) -> None:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def fail(self, endpoint: str, fault: Fault, times: int = 1) -> None:
        self._faults[endpoint].extend([fault] * times)

    def _route(self, endpoint: str, method: str, path: str, seconds: float, handler: Handler) -> Route:
        async def serve(request: Request) -> Response:
            self.asked[endpoint] += 1
            header = request.headers.get("authorization", "")
            token = header.removeprefix("Bearer ") or request.query_params.get("api_key", "")
            if self._is_too_soon(endpoint, token, seconds):
                self.too_soon[endpoint] += 1
                return PlainTextResponse(f"API requests too frequent endpoint threshold={seconds}", 429)
            raw = await request.body()
            fault = self._faults[endpoint].popleft() if self._faults[endpoint] else None
            if fault and not fault.done:
                return _answered(fault, raw)
            response = await self._answer(request, raw, token, handler)
            return _answered(fault, raw) if fault else response

        return Route(path, serve, methods=[method])

    async def _answer(self, request: Request, raw: bytes, token: str, handler: Handler) -> Response:
        try:
            self._authorize(request, token)
            body = json.loads(raw or b"{}")
            if not isinstance(body, dict):
                raise ValueError("expected a JSON object")
            answer = handler(request, body, token)
            if answer.before:
                await run_in_threadpool(answer.before)
        except Refusal as refusal:
            return JSONResponse(_held(contract.Failed, refusal.fields), refusal.status)
        except (ValueError, ValidationError) as error:
            return JSONResponse({"success": False, "error": "invalid_args", "msg": str(error)}, 400)
        if answer.model is contract.SshKeys:
            _held(answer.model, {"keys": answer.found})
        else:
            _held(answer.model, answer.found)
        return JSONResponse(answer.found)

    def _is_too_soon(self, endpoint: str, token: str, seconds: float) -> bool:
        now = time.monotonic()
        last = self._called.get((endpoint, token))
        if last is not None and now - last < seconds * self.scale:
            return True
        self._called[endpoint, token] = now
        return False

    def _authorize(self, request: Request, token: str) -> None:
        """The account's key opens all; an instance's key that instance, to change or destroy it."""
        if token == ACCOUNT_KEY:
            return
        instance = self.market.instances.get(request.path_params.get("id", 0))
        if (
            instance
            and token == instance.api_key
            and request.method in ("PUT", "DELETE")
            and "/instances/" in request.url.path
        ):
            return
        searching = request.url.path.startswith("/api/v0/bundles")
        raise Refusal(404 if searching else 401, "auth_error", "Invalid user key")

    def _search(self, request: Request, body: Any, token: str) -> Answer:
        asked, filters = contract.searched(body)
        filters = {"verified": {"eq": True}, "rentable": {"eq": True}, **filters}
        rows = [
            listing.row(self.market.clock(), asked.allocated_storage, asked.type == "bid")
            for listing in self.market.listings.values()
        ]
        if not self.market.careless:
            rows = [
                row
                for row in rows
                if _fits({**row, "verified": row["verification"] == "verified", "external": False}, filters)
            ]
        for column, direction in reversed(asked.order):
            rows.sort(key=lambda row, column=column: row[column], reverse=direction == "desc")  # type: ignore[misc]
        most = asked.limit or len(rows)
        return Answer({"offers": rows[:most], "truncated": len(rows) > most}, contract.Offers)

    def _create(self, request: Request, body: Any, token: str) -> Answer:
        wanted = contract.Rent.model_validate(body)
        instance = self.market.rent(request.path_params["id"], wanted.model_dump())

        def boot() -> None:
            if instance.listing.boots:
                self.market.on_create(instance)

        rented = {
            "success": True,
            "new_contract": instance.id,
            "instance_api_key": "" if self.market.keyless else instance.api_key,
        }
        return Answer(rented, contract.Rented, before=boot)

    def _list(self, request: Request, body: Any, token: str) -> Answer:
        asked = request.query_params
        limit = int(asked.get("limit", 5))
        order = json.loads(asked.get("order_by", "[]"))
        filters = json.loads(asked.get("select_filters", "{}"))
        if not 0 < limit <= 25 or set(filters) - contract.INSTANCE_FILTERS or any(by["col"] != "id" for by in order):
            raise Refusal(400, "invalid_request", f"Error in query parameters: {asked}")
        rows = [instance.row(self.market.clock()) for instance in self.market.instances.values()]
        rows = sorted((row for row in rows if _fits(row, filters)), key=lambda row: row["id"])
        after = _number(asked["after_token"]) if "after_token" in asked else 0
        rest = [row for row in rows if row["id"] > after]
        page = rest[:limit]
        following = rest[2 * limit - 1 : 2 * limit] if self.skipped_page else page[-1:]
        more = len(rest) > (2 * limit if self.skipped_page else limit)
        return Answer(
            {
                "success": True, "instances_found": len(page), "total_instances": len(rows),
                "label_counts": dict(Counter(row["label"] or "" for row in rows)),
                "next_token": _token(following[0]["id"]) if more else None, "instances": page,
            },
            contract.Page,
        )  # fmt: skip

    def _show(self, request: Request, body: Any, token: str) -> Answer:
        instance = self.market.instances.get(request.path_params["id"])
        return Answer({"instances": instance and instance.row(self.market.clock())}, contract.Shown)

    def _manage(self, request: Request, body: Any, token: str) -> Answer:
        wanted = contract.Manage.model_validate(body)
        instance = self._instance(request)
        if wanted.label is not None:
            instance.label = wanted.label
        if wanted.state == "stopped":
            instance.stop()
        elif wanted.state == "running":
            instance.next_state = instance.intended_status = "running"
        return Answer({"success": True}, contract.Done)

    def _destroy(self, request: Request, body: Any, token: str) -> Answer:
        instance = self._instance(request)
        self.market.destroy(instance)
        self.destroyed_by.append(token)
        return Answer({"success": True}, contract.Done, before=lambda: self.market.on_destroy(instance))

    def _ssh_keys(self, request: Request, body: Any, token: str) -> Answer:
        if not self.market.ssh_keys:  # berops/terraform-provider-vastai met it
            raise Refusal(404, "not_found", "no ssh keys")
        rows = [
            {"id": number, "user_id": 7, "key": key, "created_at": "2026-01-01T00:00:00Z", "deleted_at": None}
            for number, key in enumerate(self.market.ssh_keys, 1)
        ]
        return Answer(rows, contract.SshKeys)

    def _add_ssh_key(self, request: Request, body: Any, token: str) -> Answer:
        key = contract.SshKey.model_validate(body).ssh_key
        self.market.ssh_keys.append(key)
        made = {"id": len(self.market.ssh_keys), "user_id": 7, "public_key": key, "created_at": "2026-01-01T00:00:00Z"}
        return Answer({"success": True, "key": {**made, "deleted_at": None}}, contract.SshKeyMade)

    def _account(self, request: Request, body: Any, token: str) -> Answer:
        money = {"balance": 0.0, "credit": float(self.market.credit), "can_pay": True, "has_billing": True}
        known = {"id": 7, "username": "me", "email": "me@example.com", "api_key": ACCOUNT_KEY, "ssh_key": ""}
        return Answer({**known, **money}, contract.User)

    def _instance(self, request: Request) -> Instance:
        number = request.path_params["id"]
        if number not in self.market.instances:
            raise Refusal(404, "no_such_instance", f"Instance {number} not found.")
        return self.market.instances[number]


class _Lost(Response):
    """No answer: the connection ends, before a byte of it or in its midst."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._cut:
            head = [(b"content-type", b"application/json"), (b"content-length", b"512")]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": b'{"succ', "more_body": True})
        method: Any = receive  # ASGI has no word for it: uvicorn's is a method of what has the connection
        method.__self__.transport.close()


def _answered(fault: Fault, raw: bytes) -> Response:
    if not fault.status:
        return _Lost(fault.body == CUT)
    body = fault.body.replace("REQUEST", json.dumps(raw.decode())[1:-1])
    return Response(body, fault.status, media_type="application/json" if body.startswith("{") else "text/plain")


def _held(model: type[BaseModel], found: Any) -> Any:
    """What we answer, if it is as documented: else the tests hold us to something that is not there."""
    try:
        model.model_validate_json(json.dumps(found))
    except ValidationError as error:
        raise AssertionError(f"not as vast.ai documents it: {error}") from error
    return found


def _fits(row: dict[str, Any], filters: dict[str, dict[str, Any]]) -> bool:
    return all(
        OPERATIONS[operator](row.get(name), _like(row.get(name), value))
        for name, operations in filters.items()
        if name != "rented"  # "not a server-side filter"; each offer says it
        for operator, value in operations.items()
    )


def _like(found: Any, asked: Any) -> Any:
    """The client sends numbers as texts, and has underscores where a name has spaces."""
    if isinstance(asked, list):
        return [_like(found, each) for each in asked]
    if isinstance(asked, str) and isinstance(found, int | float):
        return float(asked)
    return asked.replace("_", " ") if isinstance(asked, str) and " " in str(found) else asked


def _token(number: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"values": {"id": number}}).encode()).decode()


def _number(token: str) -> int:
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["values"]["id"])
    except (ValueError, KeyError) as error:
        raise Refusal(400, "invalid_token", "Invalid after_token") from error
