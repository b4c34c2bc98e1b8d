"""Objects of our kinds as they are read."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from homespun.api.fields import API_VERSION
from operators.children import Manifest

S = TypeVar("S", bound=BaseModel)
T = TypeVar("T", bound=BaseModel)
R = TypeVar("R")


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
    """One of lightkube's generic resources, typed."""
    metadata = document.metadata
    return Object(
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        created=str(metadata.creationTimestamp),
        spec=spec.model_validate(document["spec"]),
        status=status.model_validate(document.get("status") or {}),
    )


async def one_by_one(items: Sequence[Object[S, T]], act: Callable[[Object[S, T]], Awaitable[R]]) -> list[R]:
    """What comes of each. One that fails keeps no other from its turn; an ExceptionGroup tells of it at the end."""
    done: list[R] = []
    failed: dict[str, Exception] = {}
    for item in items:
        try:
            done.append(await act(item))
        except Exception as error:
            failed[item.name] = error
    if failed:
        told = "; ".join(f"{name}: {error}" for name, error in failed.items())
        raise ExceptionGroup(told, list(failed.values()))
    return done


def owns(item: Object[Any, Any], metadata: Any) -> bool:
    """Whether an object that was read is a child of this one, and not of one of its name before."""
    return any(reference.uid == item.uid for reference in metadata.ownerReferences or ())


def owner(item: Object[Any, Any], kind: str) -> Manifest:
    """The reference by which a child is gone when its last owner is."""
    return {"apiVersion": API_VERSION, "kind": kind, "name": item.name, "uid": item.uid}
