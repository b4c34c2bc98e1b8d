"""Which Python runs a program."""

import sys
from pathlib import Path

import pytest

from tools.pulumi.language import RuntimeOptionError, interpreter


def test_the_projects_virtual_environment_comes_first_and_starts_at_the_projects_folder(tmp_path: Path) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").touch()
    found = interpreter({"virtualenv": "venv"}, tmp_path, {"PULUMI_PYTHON_CMD": "/other/python"})
    assert found == tmp_path / "venv/bin/python"


def test_then_the_environments_and_then_the_hosts_own(tmp_path: Path) -> None:
    assert interpreter({}, tmp_path, {"PULUMI_PYTHON_CMD": "/other/python"}) == Path("/other/python")
    assert interpreter({}, tmp_path, {}) == Path(sys.executable)


def test_a_virtual_environment_that_is_missing_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeOptionError, match=r"runtime.options.virtualenv: venv: .* python3 -m venv"):
        interpreter({"virtualenv": "venv"}, tmp_path, {})


def test_another_toolchain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeOptionError, match="toolchain: expected pip, got uv"):
        interpreter({"toolchain": "uv"}, tmp_path, {})
