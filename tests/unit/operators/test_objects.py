"""What an object's trouble costs the others."""

import pytest

from homespun.api.training import TrainingJobSpec, TrainingJobStatus
from operators.objects import Object, one_by_one

Item = Object[TrainingJobSpec, TrainingJobStatus]


def item(name: str) -> Item:
    return Object(
        name, f"uid-{name}", 1, "2026-01-01T00:00:00Z", TrainingJobSpec.model_construct(), TrainingJobStatus()
    )


async def test_an_object_that_fails_keeps_no_other_from_its_turn() -> None:
    seen: list[str] = []

    async def act(one: Item) -> str:
        seen.append(one.name)
        if one.name != "good":
            raise ValueError(f"no {one.name}")
        return one.name

    with pytest.raises(ExceptionGroup, match="bad: no bad; worse: no worse") as raised:
        await one_by_one([item("bad"), item("good"), item("worse")], act)
    assert seen == ["bad", "good", "worse"]
    assert len(raised.value.exceptions) == 2


async def test_what_comes_of_each_is_in_their_order() -> None:
    async def act(one: Item) -> str:
        return one.name.upper()

    assert await one_by_one([item("a"), item("b")], act) == ["A", "B"]
