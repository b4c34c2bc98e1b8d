"""tritonserver is started with the settings that its faults ask for."""

import sys
from pathlib import Path

import pytest

from workloads.inference.server import EXIT_SECONDS, ServerError, command, environment, link_backend


def _line() -> list[str]:
    return command(
        server=Path("/site/pytriton/tritonserver"), backends=Path("/tmp/backends"), repository=Path("/models"),
        grpc=("0.0.0.0", 8001), http_port=8000, key="key",
    )  # fmt: skip


def test_control_is_open_on_the_loopback_alone() -> None:
    line = _line()
    assert "--http-address=127.0.0.1" in line
    assert "--grpc-address=0.0.0.0" in line
    assert "--grpc-restricted-protocol=model-repository,shared-memory,trace,logging:homespun-key=key" in line


def test_models_are_loaded_by_the_agent_alone_and_as_they_are_declared() -> None:
    line = _line()
    assert "--model-control-mode=explicit" in line
    assert "--disable-auto-complete-config" in line
    assert "--strict-readiness=false" in line


def test_it_ends_before_a_pods_grace_does() -> None:
    assert f"--exit-timeout-secs={EXIT_SECONDS}" in _line()
    assert EXIT_SECONDS < 30


def test_the_stub_finds_this_environment_first() -> None:
    variables = environment(Path("/site"), {"PATH": "/usr/bin", "KEEP": "1"})
    assert variables["PATH"] == f"{sys.prefix}/bin:/usr/bin"
    assert variables["LD_LIBRARY_PATH"] == "/site/nvidia_pytriton.libs"
    assert variables["OMP_NUM_THREADS"] == "1"
    assert variables["KEEP"] == "1"


def test_a_wheel_without_this_pythons_stub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"expected libtriton_python\.so"):
        link_backend(tmp_path / "server", tmp_path / "backends")
