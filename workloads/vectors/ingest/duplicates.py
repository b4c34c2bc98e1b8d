"""Which records stand for others. Pure, and the same whatever the order in which records come.

Similarity is that of Jaccard between the sets of shingles (runs of `SHINGLE` characters, case folded), estimated by
MinHash and found by locality-sensitive hashing (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.2 to 3.4).
With 128 hashes the estimate's standard error at 80 percent is 3.5 percent.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from workloads.vectors.ingest.records import Record

SHINGLE: Final = 5
HASHES: Final = 128
FOUND: Final = 0.99
"""Of pairs exactly at the threshold, how many have to meet in a band."""

Signature = npt.NDArray[np.uint32]
"""(HASHES,): the least value of each hash over a text's shingles."""

_GENERATOR: Final = np.random.Generator(np.random.PCG64(5))
_FACTORS: Final = _GENERATOR.integers(0, 2**63, (HASHES, 1), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS: Final = _GENERATOR.integers(0, 2**63, (HASHES, 1), dtype=np.uint64)
"""Multiply-shift hashing (Dietzfelbinger et al. 1997): h(x) = (a·x + b mod 2^64) >> 32, a odd."""


def later(one: Record, other: Record) -> Record:
    """Of two records with the same id, the one that stays: that of the last file by name."""
    return max(one, other, key=lambda record: (record.file, record.text, repr(sorted(record.metadata.items()))))


def smaller(one: Record, other: Record) -> Record:
    """Of two records with the same text, the one that stays."""
    return min(one, other, key=lambda record: record.id)


def shingles(text: str) -> frozenset[bytes]:
    """The runs of SHINGLE characters in a text; a shorter text is its own only one."""
    folded = text.casefold()
    return frozenset(
        folded[start : start + SHINGLE].encode() for start in range(max(1, len(folded) - SHINGLE + 1))
    )  # fmt: skip


def signature(text: str) -> Signature:
    """Its MinHash."""
    hashed = np.fromiter(map(zlib.crc32, shingles(text)), dtype=np.uint64)  # (s,)
    values: Signature = ((hashed * _FACTORS + _OFFSETS) >> np.uint64(32)).min(axis=1).astype(np.uint32)  # (HASHES, s)
    return values


def band_rows(percent: int) -> int:
    """Hashes in a band: as many (as few pairs to compare) as still bring FOUND of the pairs at the threshold together.

    A pair of similarity s shares a band of r hashes with probability s^r, one of b bands with 1 - (1 - s^r)^b.
    """
    s = percent / 100
    return max((r for r in range(1, HASHES + 1) if 1 - (1 - s**r) ** (HASHES // r) >= FOUND), default=1)


def bands(signed: Signature, percent: int) -> Iterator[tuple[int, bytes]]:
    """The buckets that a text falls into: texts of `percent` similarity share one of them."""
    rows = band_rows(percent)
    for number in range(HASHES // rows):
        yield number, signed[number * rows : (number + 1) * rows].tobytes()


def similarity(one: Signature, other: Signature) -> float:
    """The estimate of the two texts' Jaccard similarity, in percent."""
    return 100 * float(np.count_nonzero(one == other)) / HASHES


def near(bucket: Iterable[tuple[str, Signature]], percent: int) -> Iterator[str]:
    """The ids in a bucket that go: those that a smaller id, itself not gone from this bucket, stands for.

    Ids descend from record to record that stands for it, so each that goes leads to one that stays.
    """
    staying: list[Signature] = []
    for identity, signed in sorted(bucket, key=lambda member: member[0]):
        if any(similarity(signed, other) >= percent for other in staying):
            yield identity
        else:
            staying.append(signed)
