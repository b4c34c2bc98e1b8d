"""A pattern says the same of a claim's files and of a bucket's objects, and has no more looked at than it has to."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.workloads.vectors.test_ingestion import INGESTION
from workloads.vectors.ingest import source
from workloads.vectors.ingest.patterns import matcher, scope

KEYS = (
    "a.jsonl",
    "papers/a.jsonl",
    "papers/b c.jsonl",
    "papers/x/d.jsonl",
    "papers/x/y/e.jsonl",
    "papers/",
    "papers/n",
)


@pytest.mark.parametrize(
    ("pattern", "prefix", "deep", "found"),
    [
        ("*.jsonl", "", False, ["a.jsonl"]),
        ("papers/*.jsonl", "papers/", False, ["papers/a.jsonl", "papers/b c.jsonl"]),
        ("papers/?.jsonl", "papers/", False, ["papers/a.jsonl"]),
        ("papers/a.jsonl", "papers/a.jsonl", False, ["papers/a.jsonl"]),
        ("papers/*/*.jsonl", "papers/", True, ["papers/x/d.jsonl"]),
        ("papers/x/**/*.jsonl", "papers/x/", True, ["papers/x/d.jsonl", "papers/x/y/e.jsonl"]),
        ("pap**", "pap", True, [*KEYS[1:5], "papers/n"]),
        ("papers/[ab].jsonl", "papers/[ab].jsonl", False, []),
    ],
)
def test_what_a_pattern_matches(pattern: str, prefix: str, deep: bool, found: list[str], tmp_path: Path) -> None:
    assert scope(pattern) == (prefix, deep)
    wanted = matcher(pattern)
    assert [key for key in KEYS if wanted.fullmatch(key)] == found
    for key in KEYS:
        (tmp_path / "library" / key).parent.mkdir(parents=True, exist_ok=True)
        if not key.endswith("/"):
            (tmp_path / "library" / key).touch()
    files = []
    if found:
        files = [*source.find(replace(INGESTION, source=f"pvc://library/{pattern}"), tmp_path).names.values()]
    assert sorted(files) == sorted(found)


def test_a_key_is_matched_as_it_is() -> None:
    for key in ("p/\n.jsonl", "p/..jsonl", "p/ä [1] %2F.jsonl"):
        assert matcher("p/*.jsonl").fullmatch(key)
    assert not matcher("p/*.jsonl").fullmatch("p/../x.jsonl")
    assert not matcher("a.jsonl").fullmatch("abjsonl")


def test_a_link_in_a_circle_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "library/papers").mkdir(parents=True)
    (tmp_path / "library/papers/a.jsonl").touch()
    (tmp_path / "library/papers/again").symlink_to(tmp_path / "library")
    (tmp_path / "library/linked").symlink_to(tmp_path / "library/papers")
    for pattern, found in (("**", ["papers/a.jsonl"]), ("./linked/*.jsonl", ["linked/a.jsonl"])):
        there = source.find(replace(INGESTION, source=f"pvc://library/{pattern}"), tmp_path)
        assert list(there.names.values()) == found
