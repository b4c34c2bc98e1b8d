"""One group a machine in every hierarchy: made, found, removed. The hierarchies here are folders."""

from pathlib import Path, PurePosixPath

import pytest

from stacks.machines import cgroups

GROUP = PurePosixPath("homespun", "lab", "m0")


@pytest.fixture
def hierarchies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    folders = tuple(tmp_path / name for name in ("memory", "unified"))
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr(cgroups, "hierarchies", lambda: folders)
    return folders


def test_a_group_is_made_in_every_hierarchy(hierarchies: tuple[Path, ...]) -> None:
    assert cgroups.create(GROUP) == tuple(folder / "homespun/lab/m0" for folder in hierarchies)
    assert all((folder / "homespun/lab/m0").is_dir() for folder in hierarchies)


def test_processes_of_groups_below_belong_to_it(hierarchies: tuple[Path, ...]) -> None:
    for number, path in enumerate(("memory/homespun/lab/m0/init", "unified/homespun/lab/m0"), start=41):
        folder = hierarchies[0].parent / path
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text(f"{number}\n")
    assert cgroups.processes(GROUP) == {41, 42}


def test_a_removed_group_takes_parents_along_that_it_leaves_empty(hierarchies: tuple[Path, ...]) -> None:
    cgroups.create(GROUP)
    cgroups.create(PurePosixPath("homespun", "other", "m0"))
    cgroups.remove(GROUP)
    assert [path.name for path in (hierarchies[0] / "homespun").iterdir()] == ["other"]


def test_memory_is_read_in_either_version(hierarchies: tuple[Path, ...]) -> None:
    cgroups.create(GROUP)
    (hierarchies[0] / GROUP / "memory.usage_in_bytes").write_text("4096\n")
    assert cgroups.memory_bytes(GROUP) == 4096
