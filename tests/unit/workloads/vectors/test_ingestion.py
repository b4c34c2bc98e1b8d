"""What passes between operator and job: whole, and readable by neighbouring versions."""

import json
from dataclasses import replace

import pytest

from workloads.edge.document import ConfigError, NewerFormatError
from workloads.vectors.config import Field
from workloads.vectors.ingestion import MAX_MESSAGE, Ingestion, Report, parse, parse_report, render, render_report

INGESTION = Ingestion(
    "papers",
    "pvc://library/papers/*.jsonl",
    "pvc://library/state/papers",
    "id",
    ("title", "summary"),
    "org/m",
    "http://inference",
    "http://vectors",
    fields=(Field("year", "int"),),
    near_duplicate_percent=80,
)
REPORT = Report("Done", "", 10, 1, 2, 3, 4, "spark", {"read": 0.5}, "a" * 64)


def test_both_come_back_as_they_were() -> None:
    assert parse(render(INGESTION)) == INGESTION
    assert parse_report(render_report(REPORT)) == REPORT


def test_unknown_fields_are_ignored_and_newer_formats_refused() -> None:
    document = json.loads(render(INGESTION)) | {"colour": "red"}
    assert parse(json.dumps(document)) == INGESTION
    with pytest.raises(NewerFormatError):
        parse(json.dumps(document | {"formatVersion": 2}))


@pytest.mark.parametrize("text", ["", "[]", '{"formatVersion": 1}', '{"formatVersion": "x"}'])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


@pytest.mark.parametrize("character", ["u", "ü", "語", "🦜", '"', "\x01"])
def test_a_report_fits_into_a_termination_message(character: str) -> None:
    seconds = dict.fromkeys(("start", "fetch", "read", "dedupe", "deliver", "embed", "upsert"), 12345.67)
    rendered = render_report(replace(REPORT, message=character * 10_000, seconds=seconds))
    assert len(rendered.encode()) <= 4096
    message = parse_report(rendered).message
    assert 200 < len(message) <= MAX_MESSAGE
    assert set(message) == {character}


def test_addresses_do_not_decide_the_outcome_but_the_rest_does() -> None:
    assert replace(INGESTION, inference="http://elsewhere", vectors="http://there").digest == INGESTION.digest
    assert replace(INGESTION, near_duplicate_percent=70).digest != INGESTION.digest
