"""An image is blobs under their digests; an archive of it leaves out what its reader has."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from tools.images import oci
from tools.images.oci import Image, Layer, Store


def layer(store: Store, name: str) -> Layer:
    return store.layer(lambda tar: oci.add(tar, name, name.encode()), compressed=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def image(store: Store) -> Image:
    return store.image("localhost/one:1", [layer(store, "low"), layer(store, "high")], "amd64", {"User": "1:1"})


def archived(store: Store, image: Image, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The files of its archive."""
    out = io.BytesIO()
    store.archive(image, out, without)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry))}


def test_the_manifest_leads_to_every_blob(store: Store, image: Image) -> None:
    files = archived(store, image)
    [described] = json.loads(files["index.json"])["manifests"]
    assert described["annotations"]["io.containerd.image.name"] == "localhost/one:1"
    manifest = json.loads(files[f"blobs/{described['digest'].replace(':', '/')}"])
    for blob in (manifest["config"], *manifest["layers"]):
        content = files[f"blobs/{blob['digest'].replace(':', '/')}"]
        assert len(content) == blob["size"]
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == blob["digest"]
    config = json.loads(files[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    assert config["rootfs"]["diff_ids"] == [one.diff_id for one in image.layers]
    assert config["config"] == {"User": "1:1"}


def test_a_chain_is_as_the_specification_says(image: Image) -> None:
    low, high = (one.diff_id for one in image.layers)
    assert image.chain == (low, f"sha256:{hashlib.sha256(f'{low} {high}'.encode()).hexdigest()}")


def test_layers_that_the_reader_has_are_left_out(store: Store, image: Image) -> None:
    names = archived(store, image, without=image.chain[:1])
    left_out = {f"blobs/{one.digest.replace(':', '/')}" for one in image.layers} - set(names)
    assert left_out == {f"blobs/{image.layers[0].digest.replace(':', '/')}"}


def test_a_layer_upon_others_than_the_readers_is_not_left_out(store: Store, image: Image) -> None:
    other = store.image("localhost/other:1", [layer(store, "other"), image.layers[1]], "amd64", {})
    assert f"blobs/{image.layers[1].digest.replace(':', '/')}" in archived(store, other, without=image.chain)


def test_progress_ends_with_all_of_it(store: Store, image: Image) -> None:
    told: list[int] = []
    store.archive(image, io.BytesIO(), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 100
