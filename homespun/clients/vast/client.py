"""An account at vast.ai, through its REST API.

Nothing is taken on trust that costs money: offers are looked through again, a request to rent goes out once, an answer
about instances counts only if it is whole, and what is not known to be destroyed is an error.

Sources: vast-ai/docs `api-reference/openapi/yaml/*.yaml` (requests, answers, the least seconds between two calls),
`api-reference/rate-limits-and-errors.mdx`; what it does beside: berops/terraform-provider-vastai, dstack, SkyPilot.
"""

import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import requests

from homespun.clients.errors import Broken, Denied, Missing, Refused, ServiceError, Unreachable
from homespun.clients.rest import Method, Service, document
from homespun.clients.vast import instances, offers
from homespun.clients.vast.errors import CreatedDespiteError, Incomplete, LostReply, NotDestroyed, OfferTaken
from homespun.clients.vast.instances import Created, Instance, Intent
from homespun.clients.vast.offers import Offer, Query

URL: Final = "https://console.vast.ai"
PAGE: Final = 25
"""Instances a page at most."""
NO_SUCH_INSTANCE: Final = frozenset({"no_such_instance", "not_found"})
"""`error` of an answer that an instance is not there, in either version of the documentation."""
NOT_LET_IN: Final = ("Invalid user key", "Session expired")
"""Words of a 404 that means 401 (search_offers.yaml; the official client's cli/main.py)."""


@dataclass(frozen=True)
class Endpoint:
    """One of the API's, and how often it may be called."""

    method: Method
    path: str
    seconds: float
    """Between two calls, at least: sooner ones are answered with 429."""


SEARCH: Final = Endpoint("POST", "/api/v0/bundles/", 6.0)
CREATE: Final = Endpoint("PUT", "/api/v0/asks/{}/", 4.5)
LIST: Final = Endpoint("GET", "/api/v1/instances/", 1.0)
SHOW: Final = Endpoint("GET", "/api/v0/instances/{}/", 2.0)
DESTROY: Final = Endpoint("DELETE", "/api/v0/instances/{}/", 3.0)
SSH_KEYS: Final = Endpoint("GET", "/api/v0/ssh/", 1.0)
ADD_SSH_KEY: Final = Endpoint("POST", "/api/v0/ssh/", 1.0)
ACCOUNT: Final = Endpoint("GET", "/api/v0/users/current/", 2.0)


@dataclass(frozen=True)
class Account:
    """Whose key it is, and what is left. At 0 dollars vast.ai stops all instances of the account, then deletes them."""

    id: int
    credit: Decimal
    """Dollars: what the console and `vastai show user` call credit, and users read as what is left of payments."""
    balance: Decimal
    """Dollars. The documentation has it the other way: this as the account's credit, the other as promotional."""


def connect(api_key: str, url: str = URL) -> "Vast":
    """The account that the key opens. Its patience with 429, which come without Retry-After, is about a minute."""
    headers = {"Authorization": f"Bearer {api_key.strip()}"}
    return Vast(Service("vast.ai", url, headers, attempts=6, back_off=2.0))


class Vast:
    """The account. Its methods may be called from several threads: each endpoint is called in turn, not too soon.

    All raise ServiceError. No message holds what an instance was given, even where it is said back.
    """

    def __init__(self, service: Service, pace: float = 1.0) -> None:
        self._service = service
        self._pace = pace
        """Of the seconds between calls."""
        self._turns: dict[Endpoint, float] = {}
        self._taking = threading.Lock()

    def offers(self, query: Query) -> tuple[Offer, ...]:
        """What can be rented now and is as asked, the cheapest first. It may be another's a moment later.

        A search is not repeated: at the end of the day's quota its 429 asks for hours.
        """
        answer = self._ask(SEARCH, body=query.body(), service=replace(self._service, attempts=1))
        rows = answer.get("offers")
        if not isinstance(rows, list):
            raise Broken(f"vast.ai: offers: expected a list, got {type(rows).__name__}")
        found, unreadable = [], ""
        for row in rows:
            try:
                found.append(offers.read(row, query.disk_gb))
            except ValueError as error:
                unreadable = str(error)
        if unreadable and not found:  # one is a machine's oddity, all are another API
            raise Broken(f"vast.ai: {len(rows)} offers, none that can be read: {unreadable}")
        return tuple(sorted(filter(query.admits, found), key=lambda offer: offer.dollars_an_hour))

    def create(self, offer_id: int, intent: Intent) -> Created:
        """Rent the offer: asked once, whatever comes of it. For a VM the account must have an SSH key before.

        Raises OfferTaken (take the next), Refused or Denied (nothing was rented), Exhausted (nothing was, yet),
        LostReply (look with `by_label` before anything else), CreatedDespiteError (destroy what it names).
        """
        place = f"vast.ai: offer {offer_id} as instance {intent.label!r}"
        body = intent.body()
        try:
            told = self._ask(CREATE, offer_id, body=body, repeat=False)
        except ServiceError as error:
            secrets = [*self._service.headers.values(), intent.onstart, *intent.environment.values()]
            raise _not_created(error, place, secrets) from None
        contract = _number(told.get("new_contract"))
        if contract is None:
            raise LostReply(f"{place}: expected its id, got none: look for it by its label")
        return Created(contract, str(told.get("instance_api_key") or ""))

    def instances(self) -> tuple[Instance, ...]:
        """All of the account's, others' than ours too. Raises Incomplete for an answer that is not sure to be all."""
        found: dict[int, Instance] = {}
        token = ""
        seen = {token}
        while True:
            params = {"limit": str(PAGE), "order_by": '[{"col":"id","dir":"asc"}]'}
            told = self._ask(LIST, params={**params, **({"after_token": token} if token else {})})
            page, total, following = _page(told)
            found.update((instance.id, instance) for instance in page)
            if not following:
                break
            if following in seen:
                raise Incomplete(f"vast.ai: instances: expected another page, got the same again after {len(found)}")
            token = following
            seen.add(token)
        if len(found) != total:
            raise Incomplete(f"vast.ai: instances: expected {total}, got {len(found)}; ask again")
        return tuple(found.values())

    def by_label(self, label: str) -> tuple[Instance, ...]:
        """Those of this label: more than one where two have rented under it. Empty only where it is sure that none is.

        They are picked from all: an answer that leaves one out can then be told by its count. After a LostReply the
        request may still be on its way: ask more than once before renting anew.
        """
        return tuple(instance for instance in self.instances() if instance.label == label)

    def show(self, instance_id: int) -> Instance | None:
        """The instance, None if it is not there any more."""
        try:
            told = self._ask(SHOW, instance_id, params={"owner": "me"})
        except Missing as error:
            if _absent(error):
                return None
            raise
        row = told.get("instances", "nothing")
        if row is None or row == {}:
            return None
        try:
            found = instances.read(row)
        except (ValueError, AttributeError) as error:
            raise Broken(f"vast.ai: instance {instance_id}: expected it, got {row!r:.100}: {error}") from error
        if found.id != instance_id:
            raise Broken(f"vast.ai: instance {instance_id}: expected it, got {found.id}")
        return found

    def destroy(self, instance_id: int) -> None:
        """Destroy it and all that is on it; that it is gone already is as well. Raises NotDestroyed for all else."""
        try:
            told = self._ask(DESTROY, instance_id, body={})
            if told.get("success") is not True:
                raise Broken(f"vast.ai: expected success, got {', '.join(told) or '{}'}")
        except ServiceError as error:
            if isinstance(error, Missing | Refused) and _absent(error):
                return
            raise NotDestroyed(
                f"vast.ai: instance {instance_id}: NOT DESTROYED, it goes on costing money: {error}; destroy it by "
                f"hand, at https://cloud.vast.ai/instances/ or with `vastai destroy instance {instance_id}`",
                instance_id,
            ) from error

    def ensure_ssh_key(self, public_key: str) -> None:
        """Give the account the key if it has it not. Before an instance is made: a running VM takes no more."""
        try:
            rows = self._call(SSH_KEYS).json()
        except Missing:  # as none are told (berops/terraform-provider-vastai)
            rows = []
        except ValueError as error:
            raise Broken("vast.ai: SSH keys: expected a list, got no JSON") from error
        if not isinstance(rows, list):
            raise Broken(f"vast.ai: SSH keys: expected a list, got {type(rows).__name__}")
        present = [row for row in rows if isinstance(row, dict) and not row.get("deleted_at")]
        # `key` in the page "show ssh keys", `public_key` in that of the endpoint
        if _material(public_key) in {_material(str(row.get("key") or row.get("public_key"))) for row in present}:
            return
        told = self._ask(ADD_SSH_KEY, body={"ssh_key": public_key.strip()}, repeat=False)
        if told.get("success") is not True:
            raise Broken(f"vast.ai: SSH key: expected success, got {', '.join(told) or '{}'}")

    def account(self) -> Account:
        """Whose it is, and its money."""
        told = self._ask(ACCOUNT)  # it holds the account's key too, so nothing of it goes into a message
        try:
            credit, balance = (Decimal(str(told.get(name) or 0)) for name in ("credit", "balance"))
            return Account(int(told["id"]), credit, balance)
        except (KeyError, TypeError, ArithmeticError, ValueError):
            raise Broken("vast.ai: account: expected its id, credit and balance in dollars, got others") from None

    def _ask(self, endpoint: Endpoint, *named: int, **asked: Any) -> dict[str, Any]:
        """The JSON object that is answered, if it does not say that it failed: with 200 it may."""
        told = document(self._call(endpoint, *named, **asked))
        if told.get("success") is False:
            said = _without(_words(told), self._service.headers.values())
            error = Refused(f"vast.ai: {endpoint.method} {endpoint.path.format(*named)}: expected success, got {said}")
            error.details = told
            raise error
        return told

    def _call(
        self,
        endpoint: Endpoint,
        *named: int,
        repeat: bool = True,
        body: dict[str, Any] | None = None,
        params: dict[str, str] | None = None,
        service: Service | None = None,
    ) -> requests.Response:
        self._wait_turn(endpoint)
        path = endpoint.path.format(*named)
        try:
            return (service or self._service).call(endpoint.method, path, repeat=repeat, body=body, params=params)
        except Missing as error:
            if any(words in str(error) for words in NOT_LET_IN):
                raise Denied(str(error)) from error
            raise

    def _wait_turn(self, endpoint: Endpoint) -> None:
        with self._taking:
            now = time.monotonic()
            turn = max(now, self._turns.get(endpoint, now))
            self._turns[endpoint] = turn + endpoint.seconds * self._pace
        time.sleep(turn - now)


def _not_created(error: ServiceError, place: str, secrets: Iterable[str]) -> ServiceError:
    """What an error at a request to rent means: the answer counts, not its status alone."""
    said = _without(_words(error.details) or str(error), secrets)[:300]
    contract = _number(error.details.get("new_contract"))
    if contract is not None:
        return CreatedDespiteError(f"{place}: rented as {contract} despite an error: destroy it: {said}", contract)
    if isinstance(error, Unreachable | Broken):
        return LostReply(f"{place}: it may be rented, look for it by its label: {said}")
    # The documentation has 404 and 410; in practice it is a 400 that says "error 404/3603: no_such_ask".
    if "no_such_ask" in _words(error.details):
        return OfferTaken(f"{place}: taken by another, take the next: {said}")
    return type(error)(f"{place}: expected it to be rented, got {said}")


def _page(told: dict[str, Any]) -> tuple[list[Instance], int, str]:
    """A page's instances, how many there are on all, and the next page's token, '' for the last."""
    rows, total, token = told.get("instances"), told.get("total_instances"), told.get("next_token")
    if told.get("success") is not True or not isinstance(rows, list) or not isinstance(total, int):
        raise Incomplete(
            f"vast.ai: instances: expected success, instances, total_instances, got {', '.join(told) or '{}'}"
        )
    if (announced := told.get("instances_found", len(rows))) != len(rows):
        raise Incomplete(f"vast.ai: instances: expected {announced} on a page, got {len(rows)}")
    if token is not None and not isinstance(token, str):
        raise Incomplete(f"vast.ai: instances: next_token: expected a text or null, got {token!r}")
    try:
        return [instances.read(row) for row in rows], total, token or ""
    except (ValueError, AttributeError) as error:
        raise Incomplete(f"vast.ai: instances: one can't be read: {error}") from error


def _absent(error: ServiceError) -> bool:
    """Whether the answer says that there is no such instance: a 404 alone, a proxy's say, tells of none."""
    return error.details.get("error") in NO_SUCH_INSTANCE


def _words(told: Mapping[str, Any]) -> str:
    """What an answer says for people: never the whole of it, which may hold a key."""
    words = " ".join(str(told[name]) for name in ("error", "msg", "message", "detail") if told.get(name))
    return " ".join(words.split())


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | str) and not isinstance(value, bool) and str(value).isdigit() else None


def _material(public_key: str) -> tuple[str, ...]:
    """A key without its comment."""
    return tuple(public_key.split()[:2])


def _without(text: str, secrets: Iterable[str]) -> str:
    """The text without these and their longer words, nor the beginning of one at the end, where it was cut off."""
    words = {word for secret in secrets for word in [secret, *re.split(r"[\s\"'=\\]+", secret)] if len(word) >= 8}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "***")
        cut = next((length for length in range(len(word) - 1, 3, -1) if text.endswith(word[:length])), 0)
        text = text[: len(text) - cut] + "***" if cut else text
    return text
