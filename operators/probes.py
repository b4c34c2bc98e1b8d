"""Golden probes: which are still to be asked, whatever they ask."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import TypeVar

Probe = TypeVar("Probe", bound=Hashable)


async def answers(
    known: Mapping[Probe, str], wanted: Sequence[Probe], ask: Callable[[Probe], Awaitable[str]]
) -> dict[Probe, str]:
    """What came of each probe: '' for a good answer, else what was wrong with it.

    Asked is each that has no good answer yet; those that speak for engines of the past are forgotten.
    """
    found = {probe: wrong for probe, wrong in known.items() if probe in wanted}
    for probe in wanted:
        if found.get(probe) != "":
            found[probe] = await ask(probe)
    return found
