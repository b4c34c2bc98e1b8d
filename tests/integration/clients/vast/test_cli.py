"""vast.ai's own command line works against the tests' server: what our client is held to is what theirs expects."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from homespun.clients.vast.client import Vast
from tests.integration.clients.vast.intents import VM
from tests.integration.parts.vast_api import ACCOUNT_KEY, TOO_OFTEN, VastApi
from tools.environments import environment


class Cli:
    """`vastai`, with a home of its own, as it keeps keys and caches there."""

    def __init__(self, url: str, home: Path) -> None:
        self._environment = {
            "HOME": str(home),
            "VAST_URL": url,
            "VAST_API_KEY": ACCOUNT_KEY,
            "VASTAI_NO_UPDATE_CHECK": "1",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(environment("client-vast") / "bin/vastai"), *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60)

    def raw(self, *arguments: str) -> Any:
        ran = self.run(*arguments, "--raw")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


@pytest.fixture
def cli(vast_api: VastApi, tmp_path: Path) -> Cli:
    return Cli(vast_api.url, tmp_path)


def test_offers_are_searched_with_numbers_as_texts_and_names_with_underscores(vast_api: VastApi, cli: Cli) -> None:
    wanted = vast_api.market.offer(num_gpus=2, dph_base=0.5)
    vast_api.market.offer(num_gpus=1)
    vast_api.market.offer(num_gpus=2, gpu_name="RTX 3090")
    vast_api.market.offer(num_gpus=2, verification="unverified")
    found = cli.raw("search", "offers", "gpu_name=RTX_4090 num_gpus=2 gpu_ram>=20 vms_enabled=true", "--storage", "144")
    assert [(offer["id"], offer["dph_total"]) for offer in found] == [(wanted.id, pytest.approx(0.53))]


def test_from_an_offer_to_an_instance_and_back(vast_api: VastApi, cli: Cli) -> None:
    offer = vast_api.market.offer()
    options = ["--image", "ubuntu:24.04", "--disk", "20", "--label", "by hand", "--ssh", "--direct"]
    created = cli.raw("create", "instance", str(offer.id), *options, "--env", "-e A=b -p 8000:8000")
    (listed,) = cli.raw("show", "instances")
    shown = cli.raw("show", "instance", str(created["new_contract"]))
    assert listed["id"] == shown["id"] == created["new_contract"]
    assert (shown["label"], shown["actual_status"], shown["extra_env"]["A"]) == ("by hand", "running", "b")
    assert "destroying" in cli.run("destroy", "instance", str(shown["id"]), "--yes").stdout
    assert cli.raw("show", "instances") == []


def test_what_one_client_does_the_other_sees(vast_api: VastApi, vast: Vast, cli: Cli) -> None:
    created = vast.create(vast_api.market.offer().id, VM)
    (listed,) = cli.raw("show", "instances")
    assert (listed["id"], listed["label"]) == (created.id, VM.label)
    assert "set to another" in cli.run("label", "instance", str(created.id), "another").stdout
    assert [instance.id for instance in vast.by_label("another")] == [created.id]
    cli.run("destroy", "instance", str(created.id), "--yes")
    assert vast.show(created.id) is None


def test_all_pages_are_listed(vast_api: VastApi, vast: Vast, cli: Cli) -> None:
    for _ in range(26):
        vast.create(vast_api.market.offer().id, VM)
    assert len(cli.raw("show", "instances")) == len(vast.instances()) == 26


def test_it_waits_out_a_429(vast_api: VastApi, cli: Cli) -> None:
    vast_api.fail("create", TOO_OFTEN)
    cli.raw("create", "instance", str(vast_api.market.offer().id), "--image", "ubuntu:24.04")
    assert vast_api.asked["create"] == 2


def test_an_error_is_told_on_stderr_and_by_no_exit_code(vast_api: VastApi, cli: Cli) -> None:
    """Why nothing of ours runs it to do anything."""
    for arguments, told in [
        (("destroy", "instance", "99", "--yes"), "404: Instance 99 not found"),
        (("create", "instance", "99", "--image", "ubuntu:24.04"), "no_such_ask"),
    ]:
        ran = cli.run(*arguments)
        assert (ran.returncode, told in ran.stderr) == (0, True), ran.stderr
