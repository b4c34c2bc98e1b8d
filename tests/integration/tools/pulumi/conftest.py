"""A project for each test; the installation is put together once, and a stack made once."""

from pathlib import Path

import pytest

from tests.integration.parts.pulumi import Project
from tools.pulumi import install


@pytest.fixture(scope="session")
def installation() -> install.Installation:
    return install.install(lambda what, percent: None)


@pytest.fixture(scope="session")
def new_project(installation: install.Installation, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """What each test's project begins as."""
    return Project.with_a_stack(tmp_path_factory.mktemp("project"), installation)


@pytest.fixture
def project(new_project: Project, tmp_path: Path) -> Project:
    return new_project.copy(tmp_path)
