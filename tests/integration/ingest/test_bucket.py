"""From a bucket of a real S3 server to searchable vectors, and what is told where one can't be read."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ingest.test_ingest import fetch, stored
from tests.integration.parts.bucket import ACCESS_KEY_ID, SECRET_ACCESS_KEY, S3Server
from tests.integration.parts.ingestion import Ingest
from tests.integration.parts.vectors import Vectors
from tests.unit.workloads.vectors.test_ingestion import INGESTION
from tests.waiting import until
from workloads.vectors.ingest import bucket
from workloads.vectors.ingest.errors import Unavailable
from workloads.vectors.ingestion import WRONG_SETTINGS

Make = Callable[[str], Ingest]

HOSTILE = "papers/..%2f..%2f..%2fescape [1]: µ?*\n'\"<&>\\.jsonl"
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": f"{SECRET_ACCESS_KEY}\n"}
"""As `kubectl create secret --from-file` reads a file that an editor has written."""


def reading(job: Ingest, server: S3Server, **change: Any) -> Ingest:
    """A job with a bucket as its source; its scratch is a folder of its own."""
    source = {"source": "s3://library/papers/*.jsonl", "endpoint": server.url, **change}
    (job.folder / "tmp").mkdir(exist_ok=True)
    variables = {**KEYS, "TMPDIR": str(job.folder / "tmp")}
    return replace(job, ingestion=replace(job.ingestion, **source), variables=variables)


def holding(folder: Path, text: str) -> list[Path]:
    """The files of a folder that hold a text."""
    return [file for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


@pytest.fixture(scope="module")
def job(ingest: Make, s3: S3Server, papers: list[str]) -> Ingest:
    """A job over all papers in two objects, a line that is none, and objects that are not meant."""
    s3.make("library")
    s3.put("library", "papers/a.jsonl", *papers[:100])
    s3.put("library", HOSTILE, *papers[100:], '{"id": "cut of')
    s3.put("library", "papers/notes.txt", "no")
    s3.put("library", "papers/deeper/b.jsonl", '{"id": "not meant", "title": "t", "summary": "s"}')
    return reading(ingest("bucket"), s3)


def test_all_objects_are_taken_in_whatever_they_are_called(job: Ingest, papers: list[str], keeper: Vectors) -> None:
    report = job.run()
    assert (report.state, report.engine, report.read) == ("Done", "spark", len(papers) + 1)
    assert (report.quarantined, report.upserted) == (1, len(papers))
    assert [entry["file"] for entry in job.quarantine()] == [HOSTILE]
    until("all vectors", lambda: stored(keeper, "bucket") == len(papers))
    assert not [path for path in job.folder.rglob("*") if "escape" in path.name]


def test_the_scratch_is_left_empty(job: Ingest) -> None:
    assert not list((job.folder / "tmp").rglob("*.jsonl"))


def test_a_second_run_fetches_and_upserts_nothing(job: Ingest, papers: list[str], s3: S3Server) -> None:
    before = s3.fetched()
    assert before == 2
    report = job.run()
    assert (report.engine, report.upserted, report.unchanged) == ("none", 0, len(papers))
    assert s3.fetched() == before


def test_a_changed_object_is_taken_up(job: Ingest, papers: list[str], s3: S3Server, keeper: Vectors) -> None:
    changed = {**json.loads(papers[1]), "summary": "Something else."}
    s3.put("library", "papers/a.jsonl", papers[0], json.dumps(changed), *papers[2:100])
    report = job.run()
    assert (report.engine, report.upserted, report.unchanged) == ("python", 1, len(papers) - 1)
    until("the change", lambda: fetch(keeper, "bucket", "p02")["metadata"]["summary"] == "Something else.")


@pytest.mark.parametrize(
    ("change", "variables", "told"),
    [
        (
            {},
            {"AWS_SECRET_ACCESS_KEY": "a key that was guessed"},
            "to be let in, to list and to read, found 403 SignatureDoes",
        ),
        ({}, {"AWS_ACCESS_KEY_ID": "a-stranger"}, "expected a bucket that can be listed and read, found 404"),
        ({}, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "expected anybody, as there are no"),
        ({}, {"AWS_SECRET_ACCESS_KEY": "two\nlines"}, "expected two texts of visible ASCII characters"),
        ({"source": "s3://nowhere/papers/*"}, {}, "bucket nowhere at http://127.0.0.1:7070: expected a bucket, found"),
        ({"source": "s3://library/pap/*"}, {}, "found none; of what begins with 'pap/', bucket library at"),
        ({"source": "s3://library/papers/*.json"}, {}, "holds 'papers/"),
        ({"endpoint": "https://127.0.0.1:7070"}, {}, "expected TLS, found a server without"),
        ({"id_field": "key"}, {}, "idField: expected a field 'key' in the records of s3://library/papers/*.jsonl"),
    ],
    ids=["secret", "id", "nobody", "no-key", "bucket", "folder", "pattern", "tls", "field"],
)
def test_wrong_settings_end_it_for_good_and_say_what_is_wrong(
    job: Ingest, change: dict[str, Any], variables: dict[str, str], told: str
) -> None:
    ingestion = replace(job.ingestion, **change)
    report = replace(job, ingestion=ingestion, variables={**job.variables, **variables}).run(WRONG_SETTINGS)
    assert report.state == "Refused"
    assert told in report.message


@pytest.fixture
def many(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> bucket.Objects:
    """More objects than one answer lists, as the job finds them."""
    s3.make("many")
    for number in range(1001):
        s3.put("many", f"{number // 100}/{number}.jsonl", str(number))
    for variable, value in KEYS.items():
        monkeypatch.setenv(variable, value)
    return bucket.find(replace(INGESTION, source="s3://many/**/*.jsonl", endpoint=s3.url))


def test_a_long_list_is_read_to_its_end_and_what_was_changed_since_is_not_taken(
    many: bucket.Objects, s3: S3Server, tmp_path: Path
) -> None:
    source = many.fetch(tmp_path)
    assert list(source.names.values()) == sorted(f"{number // 100}/{number}.jsonl" for number in range(1001))
    assert {file.parent for file in source.names} == {tmp_path}
    assert sorted(int(line) for line, _ in source.lines()) == list(range(1001))
    s3.put("many", "0/7.jsonl", "8")
    with pytest.raises(Unavailable, match="was changed while it was fetched"):
        many.fetch(tmp_path)
    s3.remove("many", "0/7.jsonl")
    with pytest.raises(Unavailable, match="was changed while it was fetched"):
        many.fetch(tmp_path)


def test_a_source_that_the_disk_can_not_hold_is_not_fetched(s3: S3Server, tmp_path: Path) -> None:
    server = bucket.Bucket("large", "bucket large", s3.client, signed=True)
    with pytest.raises(Unavailable, match=r"bucket large: expected 4\d+ bytes free .* make room there"):
        bucket.Objects(server, (bucket.Object("a", 10**15, "", ""),)).fetch(tmp_path)


def test_a_server_that_is_away_is_tried_again(job: Ingest) -> None:
    report = replace(job, ingestion=replace(job.ingestion, endpoint="http://127.0.0.1:7071")).run(1)
    assert report.state == "Failed"
    assert (
        "bucket library at http://127.0.0.1:7071: expected an answer, found none (EndpointConnection" in report.message
    )


def test_a_page_that_is_no_s3_server_is_told_apart(job: Ingest, keeper: Vectors) -> None:
    other = replace(job, ingestion=replace(job.ingestion, endpoint=keeper.url))
    assert "expected an S3 server, found another one (404); name its S3 port in" in other.run(WRONG_SETTINGS).message


def test_no_run_has_shown_the_keys(job: Ingest) -> None:
    assert holding(job.folder, "s3://library")
    assert not holding(job.folder, SECRET_ACCESS_KEY)
    assert not holding(job.folder, "a key that was guessed")
    assert not holding(job.folder, ACCESS_KEY_ID)
