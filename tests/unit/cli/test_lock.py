"""Two commands never work on one state folder at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.errors import CommandFailed
from cli.lock import alone


@pytest.fixture(autouse=True)
def _places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOMESPUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path / "state"))


def test_a_second_command_is_told_of_the_first() -> None:
    with alone(), pytest.raises(CommandFailed, match="found another `make up` or `make down`"), alone():
        pass


def test_another_state_folder_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with alone():
        monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path / "other"))
        with alone():
            pass


def test_a_command_that_was_killed_holds_nothing() -> None:
    code = "from cli.lock import alone; import os\nwith alone(): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False)
    with alone():
        pass
