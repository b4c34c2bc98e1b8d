"""What a kill left half-written of the engine's files does not keep the next `up` from going on."""

import json
from pathlib import Path

import pytest

from cli.project import Project, mend


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path))
    made = tmp_path / "pulumi/.pulumi/stacks/homespun"
    made.mkdir(parents=True)
    for name in ("lab.json", "lab.json.attrs", "lab.json.bak", "other.json"):
        (made / name).write_text('{"of": "' + name + '"}')
    return made


def test_what_is_whole_is_left_alone(folder: Path) -> None:
    before = {path.name: path.read_text() for path in folder.iterdir()}
    mend("lab")
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_an_empty_checkpoint_is_the_one_before(folder: Path) -> None:
    (folder / "lab.json").write_text("")
    mend("lab")
    assert (folder / "lab.json").read_text() == '{"of": "lab.json.bak"}'


def test_empty_attributes_and_drafts_go(folder: Path) -> None:
    (folder / "lab.json.attrs").write_text("")
    (folder / "lab.json.18eaf.tmp").write_text("{")
    mend("lab")
    assert sorted(path.name for path in folder.iterdir()) == ["lab.json", "lab.json.bak", "other.json"]


def test_without_anything_whole_the_stack_begins_anew(folder: Path) -> None:
    (folder / "lab.json").write_text("{")
    (folder / "lab.json.bak").write_text("{")
    mend("lab")
    assert not (folder / "lab.json").exists()


def test_what_is_recorded_is_read_from_the_last_whole_one(folder: Path) -> None:
    made = {"type": "pulumi-python:dynamic/homespun:Host", "outputs": {"connection": {"address": "10.0.0.1"}}}
    record = json.dumps({"checkpoint": {"latest": {"resources": [made, {"type": "pulumi:pulumi:Stack"}]}}})
    (folder / "lab.json.bak").write_text(record)
    (folder / "lab.json").write_text(record[:40])
    assert Project.recorded("lab", "Host") == [made["outputs"]]
    assert Project.recorded("none", "Host") == []
