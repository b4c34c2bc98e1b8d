"""JobSet's manifests are those that are pinned, wherever they come from."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import jobset
from tools.obtain import ToolError
from tools.table import JOBSET_MANIFESTS


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one."""
    monkeypatch.setenv("HOMESPUN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder on a server of our own, from which downloads are allowed."""
    monkeypatch.setenv("HOMESPUN_DOWNLOADS", "yes")
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def copy_of_the_module(folder: Path) -> None:
    for name in JOBSET_MANIFESTS:
        target = folder / jobset.FOLDER / name
        target.parent.mkdir(parents=True)
        target.write_bytes((jobset._module() / jobset.FOLDER / name).read_bytes())


def kinds(parts: list[jobset.Manifest]) -> list[str]:
    return [part["kind"] for part in parts]


def test_the_module_has_what_is_pinned(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMESPUN_DOWNLOADS", "no")
    assert kinds(jobset.parts()) == [
        "CustomResourceDefinition", "ClusterRole", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
    ]  # fmt: skip
    assert list((cache / "tools").iterdir()) == [jobset.kept()]


def test_the_same_is_downloaded(cache: Path, site: tuple[Path, str]) -> None:
    folder, url = site
    copy_of_the_module(folder)
    assert len(kinds(jobset.parts(url))) == 4


def test_what_was_changed_on_the_way_is_refused_by_name_and_not_kept(cache: Path, site: tuple[Path, str]) -> None:
    folder, url = site
    copy_of_the_module(folder)
    role = folder / jobset.FOLDER / "rbac/role.yaml"
    role.write_text(role.read_text().replace("- get", "- '*'"))
    with pytest.raises(ToolError, match=r"rbac/role\.yaml: expected sha256 e39e3224"):
        jobset.parts(url)
    assert not jobset.kept().exists()
