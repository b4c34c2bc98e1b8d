"""A claim's folder is fetched whole, verified, and never from outside the claim."""

import os
from pathlib import Path

import pytest

from workloads.inference import sources
from workloads.inference.config import Revision
from workloads.inference.manifest import folder_digest

FILES = {"model.onnx": b"weights", "tokenizer.json": b"{}", "1_Pooling/config.json": b"{}", "README.md": b"read me"}


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "claims/models/folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "claims/other").mkdir()
    (tmp_path / "claims/other/secret.json").write_text("secret")
    return tmp_path / "claims"


def _fetch(claims: Path, uri: str = "pvc://models/folder", expected: str = "") -> Path:
    landing = claims.parent / "landing"
    sources.fetch(Revision("0" * 64, uri, expected), landing, claims, None)
    return landing / "weights"


def test_what_the_backend_reads_is_copied_and_nothing_else(claims: Path) -> None:
    weights = _fetch(claims)
    found = {path.relative_to(weights).as_posix(): path.read_bytes() for path in weights.rglob("*") if path.is_file()}
    assert found == {name: content for name, content in FILES.items() if name != "README.md"}


def test_the_digest_covers_the_whole_folder(claims: Path) -> None:
    digest = folder_digest(claims / "models/folder")
    _fetch(claims, expected=digest)
    (claims / "models/folder/README.md").write_text("changed")
    with pytest.raises(sources.DigestMismatch, match=f"expected {digest}, found sha256:"):
        _fetch(claims, expected=digest)


def test_a_repeated_fetch_holds_nothing_of_the_one_before(claims: Path) -> None:
    (claims.parent / "landing/weights").mkdir(parents=True)
    (claims.parent / "landing/weights/old.json").write_text("old")
    assert not (_fetch(claims) / "old.json").exists()


@pytest.mark.parametrize("path", ["../other", "models/../other", "models//folder", "models/.", "", "models/folder/.."])
def test_a_path_with_dots_or_nothing_in_it_is_refused(claims: Path, path: str) -> None:
    with pytest.raises(sources.InvalidSource):
        _fetch(claims, f"pvc://{path}")


@pytest.mark.parametrize("uri", ["pvc://absent/folder", "pvc://models/absent", "pvc://models/folder/model.onnx"])
def test_what_is_not_there_is_not_found(claims: Path, uri: str) -> None:
    with pytest.raises(sources.SourceNotFound):
        _fetch(claims, uri)


def test_a_folder_that_is_a_link_out_of_the_claim_is_refused(claims: Path) -> None:
    (claims / "models/link").symlink_to(claims / "other")
    with pytest.raises(sources.InvalidSource, match="leads out of the claim"):
        _fetch(claims, "pvc://models/link")


def test_a_file_that_is_a_link_out_of_the_claim_is_refused(claims: Path) -> None:
    (claims / "models/folder/config.json").symlink_to(claims / "other/secret.json")
    with pytest.raises(sources.InvalidSource, match=r"folder/config\.json is a link that leads out"):
        _fetch(claims)


def test_a_link_within_the_claim_is_followed(claims: Path) -> None:
    (claims / "models/blob").write_bytes(b"blob")
    (claims / "models/folder/config.json").symlink_to("../blob")
    assert (_fetch(claims) / "config.json").read_bytes() == b"blob"


def test_a_link_to_a_folder_is_refused(claims: Path) -> None:
    (claims / "models/folder/loop").symlink_to(claims / "models/folder")
    with pytest.raises(sources.InvalidSource, match="link to a folder"):
        _fetch(claims)


def test_a_pipe_is_refused(claims: Path) -> None:
    os.mkfifo(claims / "models/folder/pipe.json")
    with pytest.raises(sources.InvalidSource, match="expected a file"):
        _fetch(claims)


def test_a_folder_without_a_model_is_refused(claims: Path) -> None:
    (claims / "models/empty").mkdir()
    with pytest.raises(sources.InvalidSource, match="found none of them"):
        _fetch(claims, "pvc://models/empty")


def test_another_scheme_is_refused(claims: Path) -> None:
    with pytest.raises(sources.InvalidSource, match="expected pvc:// or hf://"):
        _fetch(claims, "file:///etc")


def test_no_message_names_a_path_of_the_server(claims: Path) -> None:
    (claims / "models/folder/config.json").symlink_to("/etc/passwd")
    with pytest.raises(sources.SourceError) as error:
        _fetch(claims)
    assert str(claims) not in str(error.value)
