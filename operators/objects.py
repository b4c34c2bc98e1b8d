"""Objects of our kinds as they are read."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from homespun.api.fields import API_VERSION
from operators.children import Manifest
from operators.queue import STEADY

S = TypeVar("S", bound=BaseModel)
T = TypeVar("T", bound=BaseModel)

RETRY: Final = 5.0
"""Seconds until one that failed is looked at again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Object(Generic[S, T]):
    """An object as it was read."""

    name: str
    uid: str
    generation: int
    created: str
    """creationTimestamp, RFC 3339."""
    spec: S
    status: T


def read(document: Any, spec: type[S], status: type[T]) -> Object[S, T]:
    """One of lightkube's generic resources, typed. A status that can't be read counts as none: it is told anew."""
    metadata = document.metadata
    try:
        shown = status.model_validate(document.get("status") or {})
    except ValidationError as error:
        log.warning("%s: status can't be read: %s", metadata.name, error)
        shown = status()
    return Object(
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        created=str(metadata.creationTimestamp),
        spec=spec.model_validate(document["spec"]),
        status=shown,
    )


async def one_by_one(items: Sequence[Object[S, T]], act: Callable[[Object[S, T]], Awaitable[float]]) -> float:
    """Act on each; after how many seconds the first of them wants to be looked at again.

    One that fails keeps no other from its turn: it is told in the log, and looked at again in `RETRY` seconds.
    """
    again = [STEADY]
    for item in items:
        try:
            again.append(await act(item))
        except Exception as error:
            log.warning("%s failed, again in %.0f s: %s: %s", item.name, RETRY, type(error).__name__, error)
            log.debug("", exc_info=error)
            again.append(RETRY)
    return min(again)


def owns(item: Object[Any, Any], metadata: Any) -> bool:
    """Whether an object that was read is a child of this one, and not of one of its name before."""
    return any(reference.uid == item.uid for reference in metadata.ownerReferences or ())


def owner(item: Object[Any, Any], kind: str) -> Manifest:
    """The reference by which a child is gone when its last owner is."""
    return {"apiVersion": API_VERSION, "kind": kind, "name": item.name, "uid": item.uid}
