"""The CLI, its Go module, the SDK and the plugin are of versions that belong together."""

import re
import tomllib
from pathlib import Path

import pytest

from tools.pulumi.install import KUBERNETES_VERSION
from tools.table import PULUMI_VERSION

PROJECT = Path(__file__).parents[4] / "pyproject.toml"


@pytest.mark.parametrize(
    ("package", "version"), [("pulumi", PULUMI_VERSION), ("pulumi-kubernetes", KUBERNETES_VERSION)]
)
def test_the_sdk_is_of_the_version_that_runs_it(package: str, version: str) -> None:
    stacks = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]["stacks"]
    assert f"{package}=={version}" in stacks


def test_the_go_module_pins_the_sdk_of_the_same_version() -> None:
    pins = (PROJECT.parent / "tools/go/pulumi/go.mod").read_text()
    assert re.search(rf"pulumi/sdk/v3 v{re.escape(PULUMI_VERSION)}( // indirect)?$", pins, re.MULTILINE)
