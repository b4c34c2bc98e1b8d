"""From records to vectors in the collection: what has not changed is passed over, the rest is embedded and upserted.

Runs once in each worker, on an iterator: what it holds at a time is a batch.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from workloads.vectors.ingest import quarantine, services
from workloads.vectors.ingest.errors import Refused, SettingsError, Unavailable
from workloads.vectors.ingest.ledger import Ledger
from workloads.vectors.ingest.records import Quarantined, Record
from workloads.vectors.ingestion import Ingestion

BATCH: Final = 64
"""Records that are embedded by one request, upserted, and then noted: what a killed worker may have to do again."""
LOOKED_UP: Final = 512
"""Records whose digests are looked up at once."""

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """What each worker needs to know."""

    ingestion: Ingestion
    state: Path
    """The state folder."""
    revision: str
    """The model's, found at the start: vectors of two revisions must not be in one collection."""

    def digest(self, record: Record) -> str:
        """What the ledger holds of a record that was delivered."""
        return record.digest(f"{self.ingestion.collection}\0{self.ingestion.namespace}\0{self.revision}")


@dataclass(frozen=True)
class Delivered:
    """What became of the records of a worker."""

    upserted: int = 0
    unchanged: int = 0
    quarantined: int = 0
    embed_seconds: float = 0.0
    upsert_seconds: float = 0.0
    failure: str = ""
    """Why the worker stopped before the end, if it did."""
    wrong_settings: bool = False
    """Whether no further try can help."""

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(
            self.upserted + other.upserted,
            self.unchanged + other.unchanged,
            self.quarantined + other.quarantined,
            self.embed_seconds + other.embed_seconds,
            self.upsert_seconds + other.upsert_seconds,
            self.failure or other.failure,
            self.wrong_settings or other.wrong_settings,
        )


def changed(records: Iterable[Record], digests: Mapping[str, str], job: Job) -> list[Record]:
    """Those that the ledger does not know, or knows otherwise."""
    return [record for record in records if digests.get(record.id) != job.digest(record)]


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def pack(vectors: Iterable[str], count: int, size: int) -> Iterator[list[str]]:
    """Rendered vectors, in requests of at most `count` and `size` bytes; one that is larger goes alone."""
    request: list[str] = []
    held = 0
    for vector in vectors:
        length = len(vector.encode()) + 2
        if request and (len(request) == count or held + length > size):
            yield request
            request, held = [], 0
        request.append(vector)
        held += length
    if request:
        yield request


def render(record: Record, values: Sequence[float]) -> str:
    """A vector as the API takes it."""
    return json.dumps({"id": record.id, "values": values, "metadata": record.metadata})


def deliver(records: Iterable[Record], job: Job) -> Delivered:
    """Bring the records into the collection. Why it stopped early is in what it returns: no error crosses Spark."""
    with services.client() as http:
        worker = _Worker(
            job, Ledger(job.state), services.Embedder(job.ingestion, http), services.Collection(job.ingestion, http)
        )
        try:
            for batch in batches(worker.fresh(records), BATCH):
                worker.take(batch)
        except Unavailable as error:
            worker.done += Delivered(failure=str(error))
        except SettingsError as error:
            worker.done += Delivered(failure=str(error), wrong_settings=True)
        finally:
            worker.ledger.close()
        return worker.done


@dataclass
class _Worker:
    job: Job
    ledger: Ledger
    embedder: services.Embedder
    collection: services.Collection
    done: Delivered = field(default_factory=Delivered)

    def fresh(self, records: Iterable[Record]) -> Iterator[Record]:
        """Those that have to be embedded."""
        for looked_at in batches(records, LOOKED_UP):
            digests = self.ledger.digests([record.id for record in looked_at])
            found = changed(looked_at, digests, self.job)
            self.done += Delivered(unchanged=len(looked_at) - len(found))
            yield from found

    def take(self, batch: list[Record]) -> None:
        """Deliver a batch. One that a gateway refuses is halved until the record that is at fault stands alone."""
        try:
            self._deliver(batch)
        except Refused as error:
            if len(batch) == 1:
                bad = Quarantined(batch[0].file, f"refused: {error}", json.dumps(batch[0].metadata))
                quarantine.add(self.job.state, [bad])
                self.done += Delivered(quarantined=1)
                return
            middle = len(batch) // 2
            self.take(batch[:middle])
            self.take(batch[middle:])

    def _deliver(self, batch: list[Record]) -> None:
        started = time.monotonic()
        embedded, revision = self.embedder.embed([record.text for record in batch])
        if revision != self.job.revision:
            raise Unavailable(
                f"model {self.job.ingestion.model_id}: expected revision {self.job.revision[:12]} throughout the run,"
                f" got {revision[:12]}; the next run takes it from the start"
            )
        between = time.monotonic()
        vectors = [render(record, values) for record, values in zip(batch, embedded, strict=True)]
        for request in pack(vectors, services.MAX_VECTORS, services.MAX_BODY_BYTES):
            self.collection.upsert(request)
        self.ledger.note({record.id: self.job.digest(record) for record in batch})
        ended = time.monotonic()
        self.done += Delivered(len(batch), embed_seconds=between - started, upsert_seconds=ended - between)
