"""What can't be had is named, with what to do about it."""

from pathlib import Path

import pytest

from tools.obtain import ToolError, cached_path, obtain
from tools.table import TOOLS


def test_without_downloads_and_without_go_the_error_names_the_tool_and_both_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOMESPUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOMESPUN_DOWNLOADS", "no")
    with pytest.raises(ToolError, match=r"etcd 3.*Put etcd 3.* on PATH, or install Go"):
        obtain(TOOLS[0], lambda what, percent: None)


def test_one_of_another_version_on_path_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text("#!/bin/sh\necho etcd Version: 9.9.9\n")
    (tmp_path / "etcd").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert obtain(TOOLS[0], lambda what, percent: None) == cached_path(TOOLS[0])


def test_one_of_the_pinned_version_on_path_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text(f"#!/bin/sh\necho etcd Version: {TOOLS[0].version}\n")
    (tmp_path / "etcd").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert obtain(TOOLS[0], lambda what, percent: None) == tmp_path / "etcd"


def test_what_make_shell_puts_on_path_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path))
    (tmp_path / "shell").mkdir()
    (tmp_path / "shell/etcd").write_text(f"#!/bin/sh\necho etcd Version: {TOOLS[0].version}\n")
    (tmp_path / "shell/etcd").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "shell"), prepend=":")
    assert obtain(TOOLS[0], lambda what, percent: None) == cached_path(TOOLS[0])
