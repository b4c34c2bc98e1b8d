"""An image of a binary: the same bytes from the same inputs, in a format that containerd imports."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from stacks.cluster import images
from stacks.cluster.images import Recipe


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setenv("HOMESPUN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tool").write_bytes(b"\x7fELF tool")
    return Recipe("localhost/homespun/tool:v1", {"usr/bin/tool": tmp_path / "tool"}, ("/usr/bin/tool",))


def test_every_blob_has_the_digest_that_it_is_called_by(recipe: Recipe) -> None:
    image = images.build(recipe, "amd64")
    with tarfile.open(image.archive.path) as tar:
        blobs = [name for name in tar.getnames() if name.startswith("blobs/sha256/")]
        for name in blobs:
            member = tar.extractfile(name)
            assert member is not None
            assert hashlib.sha256(member.read()).hexdigest() == name.removeprefix("blobs/sha256/")
    assert f"blobs/sha256/{image.digest.removeprefix('sha256:')}" in blobs


def test_the_index_names_the_reference(recipe: Recipe) -> None:
    with tarfile.open(images.build(recipe, "amd64").archive.path) as tar:
        member = tar.extractfile("index.json")
        assert member is not None
        [manifest] = json.load(member)["manifests"]
    assert manifest["annotations"]["io.containerd.image.name"] == "localhost/homespun/tool:v1"


def test_the_same_inputs_make_the_same_archive(recipe: Recipe) -> None:
    first = images.build(recipe, "amd64")
    Path(first.archive.path).unlink()
    assert images.build(recipe, "amd64") == first


def test_another_binary_makes_another_image(recipe: Recipe) -> None:
    first = images.build(recipe, "amd64")
    recipe.files["usr/bin/tool"].write_bytes(b"\x7fELF other")
    assert images.build(recipe, "amd64").digest != first.digest


def test_a_program_comes_with_all_libraries_that_it_loads() -> None:
    files = images.with_libraries(Path("/bin/ls"))
    assert "bin/ls" in files
    assert any("libc.so.6" in name for name in files)
    assert all(path.is_file() for path in files.values())
