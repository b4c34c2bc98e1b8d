"""Which sequence comes when, and which of its tokens are masked. Pure; standard library only.

All of it is a function of the seed and the step, never of how many workers there are or what ran before, and of
arithmetic that no library's next version changes: so a run that is resumed, on other workers too, goes on as it would
have.
"""

import random
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

MASKED_PERCENT: Final = 15
"""Of a sequence, for BERT; and of those, by the paper, 80 % become [MASK], 10 % another token, 10 % stay."""
NO_TARGET: Final = -100
"""Where nothing is to be predicted: torch's `ignore_index`."""


def batch(seed: int, step: int, size: int, total: int) -> list[tuple[int, int]]:
    """(epoch, sequence) of each of the `size` places of step `step` (from 0), over `total` sequences.

    Each epoch has each sequence once, in an order of its own.
    """
    places = (divmod(place, total) for place in range(step * size, (step + 1) * size))
    return [(epoch, permuted(place, total, f"{seed}/{epoch}")) for epoch, place in places]


def permuted(place: int, total: int, key: str) -> int:
    """Where `place` goes in a permutation of range(total) that `key` names, without a table of it.

    A Feistel network permutes the next power of 4; what falls outside goes through it again, until it falls inside
    (cycle walking: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
    """
    half = max(1, ((total - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = place >> half, place & mask
        for turn in range(4):
            left, right = right, left ^ (_hash(f"{key}/{turn}/{right}") & mask)
        place = left << half | right
        if place < total:
            return place


def share(worker: int, workers: int, size: int) -> range:
    """The places of a batch that are one worker's; `workers` divides `size`."""
    each = size // workers
    return range(worker * each, (worker + 1) * each)


def microbatches(places: range, at_most: int) -> Iterator[range]:
    """A worker's places in equal parts, as large as the limit lets them be."""
    part = max(size for size in range(1, min(at_most, len(places)) + 1) if len(places) % size == 0)
    return (places[start : start + part] for start in range(0, len(places), part))


def masked(tokens: Sequence[int], key: str, mask: int, vocabulary: int) -> tuple[list[int], list[int]]:
    """Inputs and targets for BERT: as many masked tokens in each sequence, never the first and last ([CLS], [SEP])."""
    dice = random.Random(_hash(key))  # noqa: S311 (nothing secret)
    inputs, targets = list(tokens), [NO_TARGET] * len(tokens)
    inner = len(tokens) - 2
    for place in sorted(dice.sample(range(1, inner + 1), max(1, inner * MASKED_PERCENT // 100))):
        targets[place] = tokens[place]
        fate = dice.random()
        if fate < 0.8:
            inputs[place] = mask
        elif fate < 0.9:
            inputs[place] = dice.randrange(vocabulary)
    return inputs, targets


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
