"""A rented machine whose cluster is not heard of for long enough destroys itself, and not before."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homespun.clients.vast.client import DESTROY, Vast
from tests.integration.clients.vast.intents import VM
from tests.integration.parts.vast_api import Fault, VastApi
from tests.waiting import until

QUICK = "from homespun.hosts.programs import watchdog; watchdog.SECONDS = 0.05; watchdog.main()"
FAILED = Fault(500, "no")


@pytest.fixture
def cluster() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        yield listening


@contextmanager
def watching(api: VastApi, number: int, cluster: socket.socket, tmp_path: Path) -> Iterator[Path]:
    """The program, as the machine of an instance has it; what it says."""
    key, said = tmp_path / "key", tmp_path / "said"
    key.write_text(api.market.instances[number].api_key)
    host, port = cluster.getsockname()
    given = {"cluster": f"{host}:{port}", "instance": f"{api.url}{DESTROY.path.format(number)}", "key": key,
             "minutes": 0.01}  # fmt: skip
    arguments = [f"--{name}={value}" for name, value in given.items()]
    with (
        said.open("w") as out,
        subprocess.Popen([sys.executable, "-c", QUICK, *arguments], stdout=out, stderr=out) as it,
    ):
        try:
            yield said
        finally:
            it.kill()


def test_it_stays_as_long_as_its_cluster_is_heard_of(
    vast_api: VastApi, vast: Vast, cluster: socket.socket, tmp_path: Path
) -> None:
    made = vast.create(vast_api.market.offer().id, VM)
    with watching(vast_api, made.id, cluster, tmp_path):
        for _ in range(40):  # of these some 12 are more than it would wait for
            cluster.accept()[0].close()
    assert made.id in vast_api.market.instances


def test_it_destroys_itself_by_its_own_key_and_asks_until_it_is_done(
    vast_api: VastApi, vast: Vast, cluster: socket.socket, tmp_path: Path
) -> None:
    made = vast.create(vast_api.market.offer().id, VM)
    key = vast_api.market.instances[made.id].api_key
    vast_api.fail("destroy", FAILED, times=2)
    with watching(vast_api, made.id, cluster, tmp_path) as said:
        cluster.accept()[0].close()
        assert made.id in vast_api.market.instances
        cluster.close()
        until("its end", lambda: made.id not in vast_api.market.instances, 20)
        assert "not destroyed, asking again" in said.read_text()
    assert vast_api.destroyed_by == [key]
