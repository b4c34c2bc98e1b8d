"""A folder's digest is what sha256sum would give, and changes with every change of the folder."""

import hashlib
import subprocess
from pathlib import Path

from workloads.inference.manifest import digest, folder_digest


def _folder(path: Path) -> Path:
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling/config.json").write_text("{}")
    (path / "model.onnx").write_bytes(b"weights")
    (path / "a b.json").write_text("[]")
    return path


def test_it_is_the_digest_of_what_sha256sum_prints(tmp_path: Path) -> None:
    shell = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    printed = subprocess.run(["bash", "-c", shell], cwd=_folder(tmp_path), capture_output=True, text=True).stdout
    assert folder_digest(tmp_path) == f"sha256:{printed.split()[0]}"


def test_it_does_not_depend_on_the_order_of_the_files() -> None:
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"})


def test_it_tells_names_contents_and_their_pairing_apart() -> None:
    found = [
        digest(sums) for sums in ({}, {"a": "1"}, {"b": "1"}, {"a": "2"}, {"a": "1", "b": "2"}, {"a": "2", "b": "1"})
    ]
    assert len(set(found)) == len(found)


def test_its_form_is_a_digest() -> None:
    assert digest({}) == f"sha256:{hashlib.sha256(b'').hexdigest()}"
