"""Which files a source is, and what is wrong with one that is none."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.workloads.vectors.test_ingestion import INGESTION
from workloads.vectors.ingest.errors import SettingsError
from workloads.vectors.ingest.ledger import Ledger
from workloads.vectors.ingest.source import check_fields, digest, find


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    folder = tmp_path / "library/papers"
    folder.mkdir(parents=True)
    line = json.dumps({"id": "a", "title": "t", "summary": "s"})
    (folder / "b.jsonl").write_text(line)
    (folder / "a.jsonl").write_text(f"{line}\n{line}\n")
    (folder / "notes.txt").write_text("no")
    return tmp_path


def test_files_come_by_name_and_the_state_folder_is_none_of_them(claims: Path) -> None:
    (claims / "library/papers/state").mkdir()
    (claims / "library/papers/state/quarantine.jsonl").write_text("{}")
    ours = replace(INGESTION, source="pvc://library/**/*.jsonl", state="pvc://library/papers/state")
    source = find(ours, claims)
    assert list(source.names.values()) == ["papers/a.jsonl", "papers/b.jsonl"]
    assert [file for _, file in source.lines()] == ["papers/a.jsonl", "papers/a.jsonl", "papers/b.jsonl"]


@pytest.mark.parametrize("most", [1, 2, 3, 5, 8, 100])
def test_each_line_is_in_one_part_whatever_their_size(claims: Path, most: int) -> None:
    (claims / "library/papers/a.jsonl").write_bytes(b"one\n\ntwo \xff\r\n\n\nthree")
    (claims / "library/papers/b.jsonl").write_bytes(b"")
    parts = [*find(INGESTION, claims).parts(most)]
    assert max(part.end - part.begin for part in parts) <= most
    lines = [line for part in parts for line, _ in part.lines()]
    assert lines == [b"one", b"", b"two \xff\r", b"", b"", b"three"]


def test_what_other_collections_and_jobs_keep_in_the_claim_is_no_source(claims: Path) -> None:
    for folder in (".ingest/other", ".training/tale"):
        (claims / "library" / folder).mkdir(parents=True)
        (claims / "library" / folder / "curve.jsonl").write_text("{}")
    source = find(replace(INGESTION, source="pvc://library/**/*.jsonl", state="pvc://library/.ingest/ours"), claims)
    assert list(source.names.values()) == ["papers/a.jsonl", "papers/b.jsonl"]
    named = find(replace(INGESTION, source="pvc://library/.training/tale/*.jsonl"), claims)
    assert list(named.names.values()) == [".training/tale/curve.jsonl"]


def test_the_digest_changes_with_names_contents_and_settings(claims: Path) -> None:
    source = find(INGESTION, claims)
    digests = {digest(source, "x"), digest(source, "y")}
    assert digest(source, "x") in digests
    (claims / "library/papers/b.jsonl").write_text("other")
    digests.add(digest(source, "x"))
    (claims / "library/papers/b.jsonl").rename(claims / "library/papers/c.jsonl")
    digests.add(digest(find(INGESTION, claims), "x"))
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://library/*.jsonl", "expected pvc://"),
        ("pvc://library/../other/*.jsonl", "expected pvc://"),
        ("pvc://library//etc/*", "expected pvc://"),
        ("pvc://other/*.jsonl", "expected a mounted claim 'other'"),
        ("pvc://library/nothing/*.jsonl", "expected files, found none; the claim holds papers"),
    ],
)
def test_a_wrong_source_is_told(claims: Path, uri: str, message: str) -> None:
    with pytest.raises(SettingsError, match=r"expected") as raised:
        find(replace(INGESTION, source=uri), claims)
    assert message in str(raised.value)


def test_a_field_that_no_record_has_is_told_with_those_that_they_have(claims: Path) -> None:
    source = find(INGESTION, claims)
    check_fields(source, INGESTION)
    with pytest.raises(SettingsError, match=r"idField: expected a field 'key' .*found id, summary, title"):
        check_fields(source, replace(INGESTION, id_field="key"))
    with pytest.raises(SettingsError, match="sourceFields: expected a field 'abstract'"):
        check_fields(source, replace(INGESTION, text_fields=("title", "abstract")))


def test_the_ledger_keeps_the_last_digest_of_each_id(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.note({"a": "1", "b": "1"})
    ledger.note({"b": "2"})
    again = Ledger(tmp_path)
    assert again.digests(["a", "b", "c"]) == {"a": "1", "b": "2"}
    assert (again.count(), again.count(since=9e9)) == (2, 0)
    called: list[dict[str, str]] = []

    def before() -> None:
        called.append(ledger.digests(["a"]))

    assert again.keep(iter(["b", "foreign"]), before) == 1
    assert ledger.digests(["a", "b", "foreign"]) == {"b": "2"}
    assert (again.keep((), before), again.keep((), before)) == (1, 0)
    assert called == [{"a": "1"}, {}]  # before anything was forgotten, and only where something was
    again.close()
    ledger.close()
