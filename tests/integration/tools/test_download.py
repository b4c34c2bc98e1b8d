"""An official download is kept only if its published checksum holds; from a server of our own on loopback."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tools.obtain import ToolError, download
from tools.table import Release


def test_a_command_is_downloaded_and_progress_ends_at_100_percent(site: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = site
    (folder / "tool-1.0").write_bytes(b"#!" * 3_000_000)
    (folder / "tool-1.0.sha256").write_text(hashlib.sha256(b"#!" * 3_000_000).hexdigest())
    percents: list[int] = []
    release = Release(f"{url}/tool-{{version}}", f"{url}/tool-{{version}}.sha256")
    download(release, "1.0", tmp_path / "tool", lambda what, percent: percents.append(percent))
    assert (tmp_path / "tool").stat().st_size == 6_000_000
    assert percents == sorted(percents)
    assert percents[-1] == 100


def test_a_sum_may_be_of_sha512(site: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = site
    (folder / "tool").write_bytes(b"hello")
    (folder / "SUMS").write_text(f"{hashlib.sha512(b'hello').hexdigest()}  tool\n")
    download(Release(f"{url}/tool", f"{url}/SUMS"), "1.0", tmp_path / "tool", lambda what, percent: None)
    (folder / "SUMS").write_text(f"{hashlib.sha512(b'another').hexdigest()}  tool\n")
    with pytest.raises(ToolError, match="expected sha512 "):
        download(Release(f"{url}/tool", f"{url}/SUMS"), "1.0", tmp_path / "other", lambda what, percent: None)


def test_a_command_is_taken_out_of_its_archive(site: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = site
    with tarfile.open(folder / "t.tar.gz", "w:gz") as tar:
        entry = tarfile.TarInfo("t-1.0/bin/tool")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    (folder / "SUMS").write_text(f"{hashlib.sha256((folder / 't.tar.gz').read_bytes()).hexdigest()}  t.tar.gz\n00  x\n")
    release = Release(f"{url}/t.tar.gz", f"{url}/SUMS", member="t-{version}/bin/tool")
    download(release, "1.0", tmp_path / "tool", lambda what, percent: None)
    assert (tmp_path / "tool").read_bytes() == b"hello"


def test_a_download_with_another_checksum_is_refused_by_name(site: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = site
    (folder / "tool").write_bytes(b"changed on the way")
    (folder / "tool.sha256").write_text("0" * 64)
    release = Release(f"{url}/tool", f"{url}/tool.sha256")
    with pytest.raises(ToolError, match="expected sha256 0000"):
        download(release, "1.0", tmp_path / "tool", lambda what, percent: None)
    assert not (tmp_path / "tool").exists()


def test_what_belongs_beside_a_command_is_taken_out_of_its_archive_too(site: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = site
    with tarfile.open(folder / "t.tar.gz", "w:gz") as tar:
        for name in ("t/tool", "t/companion", "t/other"):
            entry = tarfile.TarInfo(name)
            entry.size = 5
            tar.addfile(entry, io.BytesIO(b"hello"))
    (folder / "t.tar.gz.sha256").write_text(hashlib.sha256((folder / "t.tar.gz").read_bytes()).hexdigest())
    (tmp_path / "bin").mkdir()
    release = Release(f"{url}/t.tar.gz", f"{url}/t.tar.gz.sha256", member="t/tool", beside=("t/companion",))
    download(release, "1.0", tmp_path / "bin/tool", lambda what, percent: None)
    assert sorted(path.name for path in (tmp_path / "bin").iterdir()) == ["companion", "tool"]
    assert (tmp_path / "bin/companion").stat().st_mode & 0o111
