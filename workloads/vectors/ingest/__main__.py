"""`python -m workloads.vectors.ingest`: fill a collection from its source. A run that was killed is gone on with.

Lines of progress go to standard output, the report to `--report` and into the state folder. Exit codes: 0 done, 64
settings or source are wrong (another try can't help), 1 anything else.
"""

import argparse
import fcntl
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from workloads.edge.document import ConfigError
from workloads.vectors.ingest import plain, quarantine, services, spark
from workloads.vectors.ingest.delivery import Job
from workloads.vectors.ingest.errors import Refused, SettingsError, Unavailable
from workloads.vectors.ingest.ledger import Ledger
from workloads.vectors.ingest.outcome import Outcome, Stages, say
from workloads.vectors.ingest.source import Listing, check_fields, digest, find, folder_of
from workloads.vectors.ingestion import S3, WRONG_SETTINGS, Ingestion, Report, parse, parse_report, render_report

REPORT_FILE: Final = "report.json"
SMALL_BYTES: Final = 8 * 2**20
"""Up to this size a source that was taken in before needs no JVM for what has been added or changed since."""


def main() -> int:
    """Run, and leave a report however it ends."""
    parser = argparse.ArgumentParser(prog="python -m workloads.vectors.ingest", description=__doc__.splitlines()[0])
    parser.add_argument("--ingestion", type=Path, required=True, help="the document that the operator has rendered")
    parser.add_argument("--claims", type=Path, default=Path("/claims"))
    parser.add_argument("--report", type=Path, default=Path("/dev/termination-log"))
    parser.add_argument("--master", default="local[*]", help="Spark's")
    arguments = parser.parse_args()
    try:
        report = _ingest(_read(arguments.ingestion), arguments.claims, arguments.master)
    except (SettingsError, Refused) as error:
        report = Report("Refused", str(error))
    except Unavailable as error:
        report = Report("Failed", str(error))
    except Exception as error:
        traceback.print_exc()
        report = Report("Failed", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    arguments.report.write_text(render_report(report))
    say(report.state, message=report.message, read=report.read, duplicates=report.duplicates,
        quarantined=report.quarantined, upserted=report.upserted, unchanged=report.unchanged)  # fmt: skip
    return {"Done": 0, "Refused": WRONG_SETTINGS}.get(report.state, 1)


def _read(file: Path) -> Ingestion:
    try:
        return parse(file.read_text())
    except (OSError, ConfigError) as error:
        raise SettingsError(f"{file}: expected the document of an ingestion; {error}") from error


def _ingest(ingestion: Ingestion, claims: Path, master: str) -> Report:
    listing = _find(ingestion, claims)
    state = _state_folder(ingestion, claims)
    with _alone(state):
        return _fill(ingestion, listing, state, master)


def _find(ingestion: Ingestion, claims: Path) -> Listing:
    if not ingestion.source.startswith(S3):
        return find(ingestion, claims)
    from workloads.vectors.ingest import bucket  # noqa: PLC0415  # what it imports takes half a second

    return bucket.find(ingestion)


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """One run at a time on a state folder. Raises Unavailable while another is at work."""
    with (state / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unavailable("another run fills this collection from here; it is waited for") from error
        yield


def _fill(ingestion: Ingestion, listing: Listing, state: Path, master: str) -> Report:
    with services.client() as http:
        collection = services.Collection(ingestion, http)
        revision = _revision(ingestion, collection.dimension(), services.Embedder(ingestion, http))
        known, lost = _recount(state, collection)
    identity = digest(listing, ingestion.digest, revision)
    last = _last(state)
    if known and not lost and last.source == identity:
        return replace(last, upserted=0, unchanged=last.upserted + last.unchanged, engine="none", seconds={})
    small = known > 0 and listing.size <= SMALL_BYTES
    quarantine.begin(state)
    stages, job = Stages(), Job(ingestion, state, revision)
    with tempfile.TemporaryDirectory() as scratch:
        with stages.stage("fetch", bytes=listing.size):
            source = listing.fetch(Path(scratch))
        check_fields(source, ingestion)
        _withdraw(state)  # from here on the collection may be another one than it tells of
        outcome = plain.run(job, source, stages) if small else spark.run(job, source, stages, master)
    report = _report(outcome, stages, "python" if small else "spark", identity)
    if report.state == "Done":
        quarantine.finish(state)
        _keep(state, report)
    return report


def _revision(ingestion: Ingestion, dimension: int, embedder: services.Embedder) -> str:
    """The model's. Raises SettingsError if its vectors don't fit into the collection."""
    vectors, revision = embedder.embed(["hello"])
    if len(vectors[0]) != dimension:
        raise SettingsError(
            f"vectors.dimension: expected {len(vectors[0])}, what model {ingestion.model_id} gives, got {dimension};"
            " declare the collection with it"
        )
    return revision


def _recount(state: Path, collection: services.Collection) -> tuple[int, int]:
    """How many vectors the ledger knew, and how many of them are in the collection no more: it forgets those.

    The ids are asked for only where the numbers differ: as many as were noted are taken for those that were. The last
    report is withdrawn before anything is forgotten: a run that dies before it has written the lost ones again leaves a
    ledger in which nothing is amiss.
    """
    ledger = Ledger(state)
    try:
        known, lost = ledger.count(), 0
        if known and known != (held := collection.count()):
            lost = ledger.keep(collection.ids() if held else (), lambda: _withdraw(state))
    finally:
        ledger.close()
    if lost:
        say("lost", vectors=lost)
    return known, lost


def _report(outcome: Outcome, stages: Stages, engine: str, identity: str) -> Report:
    done = outcome.delivered
    seconds = stages.seconds | {"embed": round(done.embed_seconds, 2), "upsert": round(done.upsert_seconds, 2)}
    return Report(
        "Done" if not done.failure else "Refused" if done.wrong_settings else "Failed",
        done.failure,
        outcome.read,
        outcome.duplicates,
        outcome.bad + done.quarantined,
        done.upserted,
        done.unchanged,
        engine,
        seconds,
        "" if done.failure else identity,
    )


def _state_folder(ingestion: Ingestion, claims: Path) -> Path:
    root, path = folder_of(ingestion.state, claims)
    (root / path).mkdir(parents=True, exist_ok=True)
    return root / path


def _last(state: Path) -> Report:
    """What the last run that came to its end has left."""
    try:
        return parse_report((state / REPORT_FILE).read_text())
    except (OSError, ConfigError):
        return Report("")


def _withdraw(state: Path) -> None:
    """The last report holds no more: until a run comes to its end, nothing is known to be done."""
    (state / REPORT_FILE).unlink(missing_ok=True)


def _keep(state: Path, report: Report) -> None:
    draft = state / f"{REPORT_FILE}.new"
    draft.write_text(render_report(report))
    os.replace(draft, state / REPORT_FILE)


if __name__ == "__main__":
    sys.exit(main())
