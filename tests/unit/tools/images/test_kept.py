"""The cache keeps what the last builds are made of, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.images import oci
from tools.images.kept import BUILDS, Kept
from tools.images.oci import Fill, Image


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setenv("HOMESPUN_CACHE", str(tmp_path))
    return Kept()


def holding(content: str) -> Fill:
    return lambda tar: oci.add(tar, "file", content.encode())


@pytest.fixture
def build(cache: Kept) -> Callable[[str], Image]:
    """An image of a layer that all share and one of its own."""

    def build(tag: str) -> Image:
        layers = [cache.layer("shared", holding("shared")), cache.blobs.layer(holding(tag), compressed=False)]
        image = cache.blobs.image(f"localhost/program:{tag}", layers, "amd64", {})
        cache.keep("program", tag, image)
        return image

    return build


def test_an_image_is_found_again(cache: Kept, build: Callable[[str], Image]) -> None:
    image = build("1")
    assert cache.holds("program", "1")
    assert Kept().image("program", "1") == image
    assert not cache.holds("program", "2")


def test_the_last_builds_stay_with_all_their_blobs(cache: Kept, build: Callable[[str], Image]) -> None:
    images = [build(str(number)) for number in range(BUILDS + 1)]
    cache.sweep()
    there = {f"sha256:{path.name}" for path in cache.blobs.folder.iterdir()}
    assert there == {digest for image in images[1:] for digest in image.blobs}
    assert not cache.holds("program", "0")


def test_a_layer_that_no_build_has_goes_and_is_made_again(cache: Kept) -> None:
    layer = cache.layer("left over", holding("left over"))
    cache.sweep()
    assert not cache.blobs.path(layer.digest).exists()
    assert cache.layer("left over", holding("left over")) == layer
    assert cache.blobs.path(layer.digest).exists()
