"""One lab for the whole run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import lab as labs

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
def lab(box_before: dict[str, str]) -> Iterator[labs.Lab]:
    """All of it, by `make up`, which was killed at each of its steps: every test holds of what it then ends with."""
    try:
        yield labs.start()
    finally:
        labs.down()
