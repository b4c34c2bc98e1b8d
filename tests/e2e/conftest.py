"""One lab for the whole run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from homespun import places
from stacks.machines import nspawn
from tests.e2e import lab as labs
from tests.integration.parts import minilm

SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "fs/file-max")
"""The box's own, which a machine's systemd or kubelet would set."""


def sysctls() -> dict[str, str]:
    return {name: Path(f"/proc/sys/{name}").read_text() for name in SYSCTLS}


@pytest.fixture(scope="session")
def box_before() -> dict[str, str]:
    return sysctls()


@pytest.fixture(scope="session")
def lab(box_before: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[labs.Lab]:
    """A machine with a Ready node, the platform, and MiniLM in the claim `models`."""
    running = labs.start(places.state() / "labs" / labs.NAME)
    try:
        labs.add_platform(running)
        labs.copy_model(running, minilm.write(tmp_path_factory.mktemp("minilm")), "minilm")
        yield running
    finally:
        nspawn.destroy(running.machine)
