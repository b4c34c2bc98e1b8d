"""The work in this one process: for a small source, which is done before a JVM would have started."""

from collections import defaultdict
from typing import Any

from workloads.vectors.ingest import duplicates, quarantine
from workloads.vectors.ingest.delivery import Job, deliver
from workloads.vectors.ingest.outcome import Outcome, Stages
from workloads.vectors.ingest.records import Quarantined, Record, check
from workloads.vectors.ingest.source import Source


def run(job: Job, source: Source, stages: Stages) -> Outcome:
    """All stages, one after another."""
    with stages.stage("read"):
        checked = [found for line, file in source.lines() if (found := check(line, file, job.ingestion)) is not None]
        bad = [found for found in checked if isinstance(found, Quarantined)]
        quarantine.add(job.state, bad)
    with stages.stage("dedupe", read=len(checked), quarantined=len(bad)):
        records = [found for found in checked if isinstance(found, Record)]
        kept = staying(records, job.ingestion.near_duplicate_percent)
    with stages.stage("deliver", duplicates=len(records) - len(kept)):
        delivered = deliver(kept, job)
    return Outcome(len(checked), len(bad), len(records) - len(kept), delivered)


def staying(records: list[Record], percent: int) -> list[Record]:
    """The records that no other stands for, by id. `percent` 0: near duplicates stay."""
    by_id: dict[str, Record] = {}
    for record in records:
        by_id[record.id] = duplicates.later(by_id.get(record.id, record), record)
    by_text: dict[bytes, Record] = {}
    for record in by_id.values():
        by_text[record.text_key] = duplicates.smaller(by_text.get(record.text_key, record), record)
    gone: set[str] = set()
    if percent:
        buckets: dict[Any, list[tuple[str, duplicates.Signature]]] = defaultdict(list)
        for record in by_text.values():
            signed = duplicates.signature(record.text)
            for band in duplicates.bands(signed, percent):
                buckets[band].append((record.id, signed))
        gone = {identity for bucket in buckets.values() for identity in duplicates.near(bucket, percent)}
    return sorted((record for record in by_text.values() if record.id not in gone), key=lambda record: record.id)
