"""A project for each test; the installation is put together once."""

from pathlib import Path

import pytest

from tests.integration.parts.pulumi import Project
from tools.pulumi import install


@pytest.fixture(scope="session")
def installation() -> install.Installation:
    return install.install(lambda what, percent: None)


@pytest.fixture
def project(installation: install.Installation, tmp_path: Path) -> Project:
    return Project(tmp_path, installation)
