"""A real containerd takes our images, and those layers alone that it lacks."""

import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.parts.process import Process
from tools.images import oci
from tools.images.oci import Image, Layer, Store
from tools.obtain import architecture, obtain
from tools.table import named

Ctr = Callable[..., str]


def command(name: str) -> str:
    return str(obtain(named(name), lambda what, percent: None))


@pytest.fixture(scope="module")
def ctr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ctr]:
    """containerd's own client; AssertionError with what it complains of."""
    folder = tmp_path_factory.mktemp("containerd")
    socket = folder / "socket"
    (folder / "config.toml").write_text(
        f'version = 3\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
        'disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",'
        ' "io.containerd.internal.v1.opt"]\n'  # the last one makes /opt/containerd
        f'[grpc]\naddress = "{socket}"\n'
    )

    def run(*arguments: str, input: bytes = b"") -> str:
        words = [command("ctr"), "--address", str(socket), *arguments]
        ran = subprocess.run(words, input=input, capture_output=True, timeout=60)
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout.decode()

    process = Process([command("containerd"), "--config", folder / "config.toml"], folder / "log")
    process.until("an answer", lambda: answers(run))
    yield run
    process.stop()


def answers(run: Ctr) -> bool:
    try:
        return bool(run("version"))
    except AssertionError:
        return False


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def layer(store: Store, name: str) -> Layer:
    return store.layer(lambda tar: oci.add(tar, name, name.encode() * 1000), compressed=True)


def send(ctr: Ctr, store: Store, image: Image, without: tuple[str, ...] = ()) -> None:
    out = io.BytesIO()
    store.archive(image, out, without)
    ctr("images", "import", "--local", "--discard-unpacked-layers", "-", input=out.getvalue())


def content(ctr: Ctr, image: Image, file: str, folder: Path) -> str:
    """Of a file in the image."""
    ctr("images", "mount", image.reference, str(folder))
    try:
        return (folder / file).read_text()
    finally:
        ctr("images", "unmount", str(folder))


def test_an_image_is_imported_and_holds_its_files(ctr: Ctr, store: Store, tmp_path: Path) -> None:
    image = store.image("localhost/first:1", [layer(store, "low"), layer(store, "high")], architecture(), {})
    send(ctr, store, image)
    assert set(image.chain) <= set(ctr("snapshots", "ls").split())
    (tmp_path / "mounted").mkdir()
    assert content(ctr, image, "low", tmp_path / "mounted") == "low" * 1000


def test_a_layer_that_is_there_need_not_come_again(ctr: Ctr, store: Store, tmp_path: Path) -> None:
    low = layer(store, "base")
    send(ctr, store, store.image("localhost/second:1", [low, layer(store, "old")], architecture(), {}))
    image = store.image("localhost/second:2", [low, layer(store, "new")], architecture(), {})
    send(ctr, store, image, without=image.chain[:1])
    ctr("images", "rm", "--sync", "localhost/second:1")
    (tmp_path / "mounted").mkdir()
    assert content(ctr, image, "base", tmp_path / "mounted") == "base" * 1000


def test_one_that_lacks_a_layer_is_refused(ctr: Ctr, store: Store) -> None:
    image = store.image("localhost/third:1", [layer(store, "never"), layer(store, "sent")], architecture(), {})
    with pytest.raises(AssertionError, match="not found"):
        send(ctr, store, image, without=image.chain[:1])
    assert image.chain[-1] not in ctr("snapshots", "ls")
