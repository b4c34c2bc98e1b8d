"""JobSet's manifests are those that are pinned, wherever they come from."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from tools import jobset
from tools.obtain import ToolError

UPSTREAM: Final = jobset.kept()
"""What `make integration` has obtained before: the files as upstream has them."""
KINDS: Final = [
    "CustomResourceDefinition", "ClusterRole", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
]  # fmt: skip


@pytest.fixture
def upstream(site: tuple[Path, str]) -> tuple[Path, str]:
    """A site that has them."""
    shutil.copytree(UPSTREAM / jobset.FOLDER, site[0] / jobset.FOLDER)
    return site


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Go module that has them."""
    monkeypatch.setattr(jobset, "_module", lambda: UPSTREAM)


def kinds(parts: list[jobset.Manifest]) -> list[str]:
    return [part["kind"] for part in parts]


def test_they_are_downloaded(cache: Path, upstream: tuple[Path, str]) -> None:
    assert kinds(jobset.parts(upstream[1])) == KINDS
    assert list((cache / "tools").iterdir()) == [jobset.kept()]


def test_without_downloads_the_same_are_the_modules(
    cache: Path, upstream: tuple[Path, str], module: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMESPUN_DOWNLOADS", "no")
    shutil.rmtree(upstream[0] / jobset.FOLDER)
    assert kinds(jobset.parts(upstream[1])) == KINDS


def test_a_site_that_does_not_answer_is_asked_once(
    cache: Path, site: tuple[Path, str], module: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def silent(url: str, timeout: float) -> None:
        asked.append(url)
        raise TimeoutError

    monkeypatch.setattr("urllib.request.urlopen", silent)
    assert kinds(jobset.parts(site[1])) == KINDS
    assert len(asked) == 1


def test_what_was_changed_on_the_way_is_refused_by_name_and_not_kept(cache: Path, upstream: tuple[Path, str]) -> None:
    folder, url = upstream
    role = folder / jobset.FOLDER / "rbac/role.yaml"
    role.write_text(role.read_text().replace("- get", "- '*'"))
    with pytest.raises(ToolError, match=r"rbac/role\.yaml: expected sha256 e39e3224"):
        jobset.parts(url)
    assert not jobset.kept().exists()
