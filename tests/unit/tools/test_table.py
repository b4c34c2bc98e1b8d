"""The table of commands says what is built."""

import re

import pytest

from tools.obtain import GO_MODULES
from tools.table import ALL, JOBSET, Tool


@pytest.mark.parametrize("tool", [*ALL, JOBSET], ids=lambda tool: tool.name)
def test_the_version_of_the_table_is_the_one_that_the_go_module_pins(tool: Tool) -> None:
    pins = (GO_MODULES / tool.module.folder / "go.mod").read_text()
    modules = dict(re.findall(r"^(?:require )?\s*(\S+) v(\S+?)(?: // indirect)?$", pins, re.MULTILINE))
    # A main package of our own (`.`) is around the module that the command is called after.
    package = f"github.com/{tool.name}/{tool.name}" if tool.module.package == "." else tool.module.package
    module = next(name for name in sorted(modules, reverse=True) if package.startswith(name))
    assert modules[module] == tool.version


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
def test_every_download_is_of_the_version_and_the_architecture(tool: Tool) -> None:
    assert tool.release is not None
    assert "{version}" in tool.release.url
    assert re.search(r"\{(node_|goreleaser_)?arch\}", tool.release.url)
    assert tool.release.checksum_url.startswith("https://")


def test_names_are_unique() -> None:
    assert len({tool.name for tool in ALL}) == len(ALL)
