"""What is put together: the official parts where they can be had, else stand-ins, and it says which."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.obtain import ToolError
from tools.pulumi import install
from tools.table import PULUMI_COMPANIONS, PULUMI_VERSION, Release


def nothing(what: str, percent: int) -> None:
    pass


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with the CLI on PATH and an empty cache. Answers the folder that the CLI is in."""
    folder = tmp_path / "official"
    folder.mkdir()
    (folder / "pulumi").write_text(f"#!/bin/sh\necho v{PULUMI_VERSION}\n")
    (folder / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("HOMESPUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOMESPUN_DOWNLOADS", "yes")
    monkeypatch.setattr(install, "python_environment", lambda name: tmp_path / name)
    nowhere = "http://127.0.0.1:1"
    monkeypatch.setattr(install, "KUBERNETES_RELEASE", Release(f"{nowhere}/p", f"{nowhere}/s", "plugin"))
    return folder


@pytest.fixture
def site(machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A site that serves the official plugin."""
    folder = tmp_path / "site"
    folder.mkdir()
    with tarfile.open(folder / "p.tar.gz", "w:gz") as tar:
        entry = tarfile.TarInfo(install.KUBERNETES_PLUGIN)
        entry.size = 8
        tar.addfile(entry, io.BytesIO(b"official"))
    (folder / "sums").write_text(f"{hashlib.sha256((folder / 'p.tar.gz').read_bytes()).hexdigest()}  p.tar.gz\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    release = Release(f"{url}/p.tar.gz", f"{url}/sums", install.KUBERNETES_PLUGIN)
    monkeypatch.setattr(install, "KUBERNETES_RELEASE", release)
    yield folder
    server.shutdown()
    server.server_close()


def test_stand_ins_take_the_place_of_what_cannot_be_had_and_are_named(machine: Path) -> None:
    found = install.install(nothing)
    assert "tools.pulumi.language" in (found.bin / "pulumi-language-python").read_text()
    assert "tools.pulumi.kubernetes" in found.plugin.read_text()
    assert "companions: stand-ins" in found.choices[1]
    assert "kubernetes plugin: stand-in (the official download failed: " in found.choices[2]


def test_official_companions_beside_the_cli_are_used(machine: Path) -> None:
    for name in PULUMI_COMPANIONS:
        (machine / name).write_text(name)
    found = install.install(nothing)
    assert {path.name: path.read_text() for path in found.bin.iterdir() if path.name != "pulumi"} == {
        name: name for name in PULUMI_COMPANIONS
    }
    assert found.choices[1] == "pulumi's companions: official"


def test_the_official_plugin_is_used_where_it_can_be_downloaded(site: Path) -> None:
    found = install.install(nothing)
    assert found.plugin.read_text() == "official"
    assert found.choices[2] == "kubernetes plugin: official"


def test_a_plugin_with_another_checksum_is_refused_not_replaced_by_a_stand_in(site: Path) -> None:
    (site / "sums").write_text(f"{'0' * 64}  p.tar.gz\n")
    with pytest.raises(ToolError, match="expected sha256 0000"):
        install.install(nothing)


def test_a_site_that_was_away_is_not_asked_again_with_each_command(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = install.install(nothing)
    monkeypatch.setattr(install, "download", lambda *_: pytest.fail("asked again"))
    assert install.install(nothing) == first


def test_the_cli_is_the_same_file_so_that_it_finds_what_lies_beside_it(machine: Path) -> None:
    assert (install.install(nothing).bin / "pulumi").samefile(machine / "pulumi")


def test_the_environment_names_state_and_passphrase_and_lets_no_other_passphrase_in(
    machine: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    given = install.environment(install.install(nothing), state, {"PULUMI_CONFIG_PASSPHRASE": "x", "HOME": "/h"})
    assert "PULUMI_CONFIG_PASSPHRASE" not in given
    assert given["HOME"] == "/h"
    assert given["PULUMI_BACKEND_URL"] == f"file://{state}/pulumi"
    passphrase = Path(given["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert passphrase.stat().st_mode & 0o777 == 0o600
    assert len(passphrase.read_text()) >= 32


def test_a_passphrase_is_made_once(machine: Path, tmp_path: Path) -> None:
    found = install.install(nothing)
    path = Path(install.environment(found, tmp_path / "state", {})["PULUMI_CONFIG_PASSPHRASE_FILE"])
    before = path.read_text()
    install.environment(found, tmp_path / "state", {})
    assert path.read_text() == before
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == ["passphrase"]


def test_a_state_folder_that_cannot_be_one_is_named_with_what_to_do(machine: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ToolError, match=r"expected a folder .*, found: Not a directory\. .*HOMESPUN_STATE"):
        install.environment(install.install(nothing), tmp_path / "file", {})
