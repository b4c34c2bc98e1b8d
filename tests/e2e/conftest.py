"""One lab for the whole run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import lab as labs
from tests.integration.parts import minilm

os.environ["HOMESPUN_STATE"] = "/var/lib/homespun-e2e"  # of the tests' own, beside a lab that is up

SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "fs/file-max",
           "net/ipv4/ip_forward")  # fmt: skip
"""The box's own, which a machine's systemd or kubelet would set."""


def sysctls() -> dict[str, str]:
    return {name: Path(f"/proc/sys/{name}").read_text() for name in SYSCTLS}


@pytest.fixture(scope="session")
def box_before() -> dict[str, str]:
    return sysctls()


@pytest.fixture(scope="session")
def base(box_before: dict[str, str]) -> Iterator[labs.Lab]:
    """A machine with a Ready node, by `make up`."""
    try:
        yield labs.start()
    finally:
        labs.down()


@pytest.fixture(scope="session")
def lab(base: labs.Lab, tmp_path_factory: pytest.TempPathFactory) -> labs.Lab:
    """That machine with the platform, and MiniLM in the claim `models`."""
    labs.add_platform(base)
    labs.copy_model(base, minilm.write(tmp_path_factory.mktemp("minilm")), "minilm")
    return base
