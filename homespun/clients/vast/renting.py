"""Renting a machine, with all that may go wrong on the way: what fails leaves nothing that costs money.

A machine is known by its label: whatever is there under it already is destroyed before anything is rented.
"""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Final, TypeVar

from homespun.clients.errors import Broken, Exhausted, Refused, ServiceError, Unreachable
from homespun.clients.vast.client import Vast
from homespun.clients.vast.errors import CreatedDespiteError, LostReply, NoOffer, NotDestroyed, NotUp, OfferTaken
from homespun.clients.vast.instances import Created, Instance, Intent, Status
from homespun.clients.vast.offers import Offer, Query

MACHINES: Final = 3
"""Machines that are tried, one after another, if they don't come up."""
OFFERS: Final = 6
"""Offers that are tried for one, if others are quicker."""
LOOKS: Final = 5
"""How often a label is looked for after a lost reply, before that is given up: the request may still be on its way."""
KNOWN_SECONDS: Final = 30.0
"""After which one that vast.ai has just rented out is gone if it is not told of."""
ALIVE: Final = frozenset({Status.PENDING, Status.RUNNING})

T = TypeVar("T")


def offered(vast: Vast, query: Query) -> tuple[Offer, ...]:
    """What can be rented, the cheapest first, at least one. Raises NoOffer."""
    found = vast.offers(query)
    if not found:
        most = "" if query.max_dollars_an_hour is None else f" at ${query.max_dollars_an_hour} an hour or less"
        raise NoOffer(
            f"vast.ai: expected an offer of {query.min_gpus} x {' or '.join(query.gpu_names) or 'any GPU'} with"
            f" {query.disk_gb} GB of disk{most}, found none: ask for less, pay more, or wait"
        )
    return found


def present(vast: Vast, label: str) -> Instance | None:
    """The instance of this label that is alive, the oldest if there are several; None where there is none."""
    alive = [one for one in vast.by_label(label) if one.status in ALIVE]
    return min(alive, key=lambda one: one.id, default=None)


def reap(vast: Vast, prefix: str, wanted: Collection[str]) -> list[str]:
    """Destroy all instances whose label begins with `prefix` and is not wanted; their labels. Raises NotDestroyed."""
    unwanted = [one for one in vast.instances() if one.label.startswith(prefix) and one.label not in wanted]
    return [one.label for one in _destroyed(vast, unwanted)]


def clear(vast: Vast, label: str) -> int:
    """Destroy all instances of this label; how many there were. Raises NotDestroyed."""
    return len(_destroyed(vast, vast.by_label(label)))


def _destroyed(vast: Vast, instances: Iterable[Instance]) -> list[Instance]:
    """Those that were there to be destroyed."""
    there = [one for one in instances if one.status is not Status.GONE]
    for one in there:
        vast.destroy(one.id)
    return there


def rent(
    vast: Vast,
    query: Query,
    intent: Intent,
    reached: Callable[[Instance, Created], T | None],
    boot_seconds: float,
    tell: Callable[[str], object],
) -> tuple[Instance, T]:
    """A running instance of this label, and what `reached` found when it could be reached.

    Destroys what is of this label already (an earlier try that was cut off may have left it, and its key is told once),
    and what does not come up in `boot_seconds`; then another machine is taken, MACHINES in all. `reached` too may raise
    NotUp. Raises NoOffer, NotUp, LostReply (one may exist: the label is cleared the next time), NotDestroyed (one goes
    on costing money), or another ServiceError; but for these two nothing is rented then.
    """
    failed = query.excluded_machines
    for left in reversed(range(MACHINES)):
        clear(vast, intent.label)
        tell("looking for offers")
        offer, made = _take(vast, replace(query, excluded_machines=failed), intent)
        failed |= {offer.machine_id}
        try:
            return _up(vast, made, reached, boot_seconds, tell)
        except NotUp as error:
            vast.destroy(made.id)
            if not left:
                raise
            tell(f"{error}; another one")
        except BaseException:
            vast.destroy(made.id)
            raise
    raise AssertionError("not reached: the last one that fails is raised")


def _take(vast: Vast, query: Query, intent: Intent) -> tuple[Offer, Created]:
    """The cheapest offer that is still to be had, and what it became."""
    for offer in offered(vast, query)[:OFFERS]:
        try:
            made = vast.create(offer.id, intent)
        except OfferTaken:
            continue
        except CreatedDespiteError as error:
            vast.destroy(error.instance_id)
            raise Refused(f"{error}: done, it is destroyed") from error
        except LostReply as error:
            if not _found_and_destroyed(vast, intent.label, error):
                raise
            continue
        if not made.api_key:  # by which alone a machine can end its own rental
            vast.destroy(made.id)
            raise Broken(f"vast.ai: instance {made.id}: expected its own key, got none; it is destroyed")
        return offer, made
    raise NoOffer(f"vast.ai: {intent.label}: expected one of the cheapest offers, all were taken by others; try again")


def _found_and_destroyed(vast: Vast, label: str, lost: LostReply) -> bool:
    """Whether what a request without a reply has rented was found. Raises LostReply where that can't be told."""
    try:
        return any(clear(vast, label) for _ in range(LOOKS))
    except NotDestroyed:
        raise
    except ServiceError as error:
        raise LostReply(f"{lost}; looking for it failed: {error}") from lost


def _up(
    vast: Vast,
    made: Created,
    reached: Callable[[Instance, Created], T | None],
    seconds: float,
    tell: Callable[[str], object],
) -> tuple[Instance, T]:
    began, said = time.monotonic(), ""
    while (waited := time.monotonic() - began) < seconds:
        try:
            found = vast.show(made.id)
        except (Unreachable, Exhausted, Broken) as error:  # what is rented is not given up for an answer
            said = str(error)
            continue
        if found is None and waited < KNOWN_SECONDS:
            continue
        if found is None or found.status not in ALIVE:
            words = f"{found.word} {found.message}".strip() if found else "is gone"
            raise NotUp(f"vast.ai: instance {made.id}: expected it to run, it {words}")
        before, said = said, f"instance {made.id}: {found.word or 'being made'} {found.message}".strip()
        if said != before:
            tell(said)
        if found.status is Status.RUNNING and (what := reached(found, made)) is not None:
            return found, what
    raise NotUp(f"vast.ai: expected a machine that can be reached within {seconds:.0f} s, got {said or 'no answer'}")
