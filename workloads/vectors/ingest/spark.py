"""The work on Spark: the same functions on partitions, each step's result on disk and not in the driver.

Partitions hold Python objects (RDDs): what decides is Python either way, and takes no Arrow or pandas along.
"""

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from math import ceil
from pathlib import Path
from typing import Any, Final

from workloads.vectors.ingest import duplicates, quarantine
from workloads.vectors.ingest.delivery import Delivered, Job, deliver
from workloads.vectors.ingest.errors import SettingsError
from workloads.vectors.ingest.ledger import Ledger
from workloads.vectors.ingest.outcome import Outcome, Stages, say
from workloads.vectors.ingest.records import Quarantined, Record, check
from workloads.vectors.ingest.source import Part, Source

DRIVER_MEMORY: Final = "1g"
"""The JVM's heap. In local mode driver and executors are one."""
SETTINGS: Final = {
    "spark.driver.memory": DRIVER_MEMORY,
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # What is done to records is done in Python: the JVM's second compiler and its parallel garbage collector cost more
    # than they save, a third of the time that a small source takes.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
LEAST_PART_BYTES, MOST_PART_BYTES = 2**20, 32 * 2**20
"""Of a file that one worker reads at a time."""
PROGRESS_SECONDS: Final = 5.0


def run(job: Job, source: Source, stages: Stages, master: str) -> Outcome:
    """All stages, one after another. Raises SettingsError without a Java runtime."""
    _require_java()
    with stages.stage("start"):
        context = _context(master)
    try:
        return _run(context, job, source, stages)
    finally:
        context.stop()


def _run(context: Any, job: Job, source: Source, stages: Stages) -> Outcome:
    from pyspark import StorageLevel  # noqa: PLC0415  # in the environment `spark` only

    percent = job.ingestion.near_duplicate_percent
    with stages.stage("read"):
        # Not by Spark SQL's reader: starting that takes as long as all of a small source.
        shares = dealt(source, context.defaultParallelism)
        partitions = max(context.defaultParallelism, len(shares))
        checked = context.parallelize(shares, len(shares)).flatMap(lambda own: _check(own, job))
        checked = checked.persist(StorageLevel.DISK_ONLY)
        counted = checked.mapPartitions(lambda found: [_set_aside(found, job)]).collect()
        read, quarantined = (sum(counts) for counts in zip(*counted, strict=True))
    with stages.stage("dedupe", read=read, quarantined=quarantined):
        records = checked.filter(lambda found: isinstance(found, Record))
        by_id = records.keyBy(lambda record: record.id).reduceByKey(duplicates.later, partitions).values()
        by_text = by_id.keyBy(lambda record: record.text_key).reduceByKey(duplicates.smaller, partitions).values()
        kept = by_text.persist(StorageLevel.DISK_ONLY)
        if percent:
            buckets = kept.flatMap(lambda record: _buckets(record, percent)).groupByKey(partitions)
            gone = buckets.flatMap(lambda bucket: duplicates.near(bucket[1], percent)).distinct(partitions)
            kept = kept.keyBy(lambda record: record.id).subtractByKey(
                gone.map(lambda identity: (identity, None)), partitions
            )
            kept = kept.values().persist(StorageLevel.DISK_ONLY)
        staying = kept.count()
    dropped = read - quarantined - staying
    with stages.stage("deliver", duplicates=dropped), _progress(job.state):
        delivered = kept.mapPartitions(lambda records: [deliver(records, job)]).collect()
    return Outcome(read, quarantined, dropped, reduce(Delivered.__add__, delivered, Delivered()))


def dealt(source: Source, workers: int) -> list[list[Part]]:
    """All of it in partitions of much the same size, however large and small files follow one another."""
    size = source.size
    most = min(MOST_PART_BYTES, max(LEAST_PART_BYTES, size // workers))
    parts = [*source.parts(most)]
    count = min(len(parts), max(workers, ceil(size / most))) or 1
    return [parts[first::count] for first in range(count)]


def _check(parts: Iterable[Part], job: Job) -> Iterator[Record | Quarantined]:
    for part in parts:
        for line, file in part.lines():
            if (found := check(line, file, job.ingestion)) is not None:
                yield found


def _set_aside(checked: Iterable[Record | Quarantined], job: Job) -> tuple[int, int]:
    """How many there are, and how many of them bad ones; these are written down."""
    kinds = [0, 0]

    def bad() -> Iterator[Quarantined]:
        for found in checked:
            kinds[isinstance(found, Quarantined)] += 1
            if isinstance(found, Quarantined):
                yield found

    quarantine.add(job.state, bad())
    return sum(kinds), kinds[1]


def _buckets(record: Record, percent: int) -> Iterator[tuple[tuple[int, bytes], tuple[str, duplicates.Signature]]]:
    signed = duplicates.signature(record.text)
    for band in duplicates.bands(signed, percent):
        yield band, (record.id, signed)


def _context(master: str) -> Any:
    """Spark, started by pyspark's own spark-submit."""
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else workers take whichever python3 is on PATH
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"  # else it ends where the host's own name can't be looked up
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415

    context = SparkContext(master, "homespun-ingest", conf=SparkConf().setAll([*SETTINGS.items()]))
    context.setLogLevel("ERROR")
    return context


def _require_java() -> None:
    if not os.environ.get("JAVA_HOME") and not shutil.which("java"):
        raise SettingsError(
            "java: expected JAVA_HOME or java on PATH, found neither. Run: apt-get install openjdk-17-jre-headless"
        )


@contextmanager
def _progress(state: Path) -> Iterator[None]:
    """Lines of progress from the driver, which itself only waits: what the workers have noted so far."""
    started, ended = time.time(), threading.Event()

    def tell() -> None:
        ledger = Ledger(state)
        while not ended.wait(PROGRESS_SECONDS):
            say("deliver", upserted=ledger.count(since=started))
        ledger.close()

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
