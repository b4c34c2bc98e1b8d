"""What an object's trouble costs the others."""

from types import SimpleNamespace
from typing import Any

from homespun.api.vectors import VectorCollectionSpec, VectorCollectionStatus
from operators import objects
from operators.objects import RETRY, Object
from operators.queue import STEADY

Item = Object[VectorCollectionSpec, VectorCollectionStatus]


class Document(dict[str, Any]):
    """As lightkube gives a generic resource."""

    metadata = SimpleNamespace(name="shelf", uid="1", generation=1, creationTimestamp="2026-01-01T00:00:00Z")


def read(**status: Any) -> Item:
    document = Document(spec={"vectors": {"dimension": 4}}, status=status)
    return objects.read(document, VectorCollectionSpec, VectorCollectionStatus)


async def test_an_object_that_fails_keeps_no_other_from_its_turn() -> None:
    seen: list[int] = []

    async def act(item: Item) -> float:
        seen.append(item.status.rows)
        if item.status.rows == 2:
            raise ValueError("no")
        return STEADY

    assert await objects.one_by_one([read(rows=1), read(rows=2), read(rows=3)], act) == RETRY
    assert seen == [1, 2, 3]


async def test_the_first_that_wants_to_be_looked_at_again_is_waited_for() -> None:
    async def act(item: Item) -> float:
        return float(item.status.rows)

    assert await objects.one_by_one([read(rows=3), read(rows=2)], act) == 2.0
    assert await objects.one_by_one([], act) == STEADY


def test_a_status_that_can_not_be_read_counts_as_none() -> None:
    assert read(rows="many") == read()
