"""Start tritonserver out of the nvidia-pytriton wheel of the environment that runs this. Standard library only.

    python -m workloads.inference.server --repository /repository/models

The wheel is the one build of Triton on PyPI. Its parts are used where they lie, read-only; only the folder that
brings a backend and the stub of this Python together is made anew, of links. What the settings are for stands
beside them.
"""

import argparse
import os
import resource
import secrets
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

GRPC_PORT: Final = 8001
HTTP_PORT: Final = 8000
EXIT_SECONDS: Final = 20
"""How long requests in flight may take after SIGTERM; below the grace of a pod (30 s), which ends in SIGKILL."""
STACK_BYTES: Final = 64 * 2**20
"""Triton 2.51 puts the parts of a request's body on a thread's stack: 4 MB of JSON overflow the usual 8 MiB."""
LOCKED: Final = ("model-repository", "shared-memory", "trace", "logging")
"""What a client of the gRPC port must not do: with the first it could run code here, with the second read others'."""


class ServerError(Exception):
    """The environment does not hold what the server needs; the message says what."""


def command(
    *, server: Path, backends: Path, repository: Path, grpc: tuple[str, int], http_port: int, key: str
) -> list[str]:
    """The command line. `key` unlocks LOCKED on the gRPC port; control comes over HTTP on the loopback alone."""
    return [
        str(server / "bin/tritonserver"),
        f"--model-repository={repository}",
        "--model-control-mode=explicit",
        f"--backend-directory={backends}",
        f"--cache-directory={server / 'caches'}",
        "--disable-auto-complete-config",  # else each load starts the stub twice: 1.35 s for 0.16 s
        "--strict-readiness=false",  # else one broken model makes the whole server not ready
        f"--exit-timeout-secs={EXIT_SECONDS}",
        f"--grpc-address={grpc[0]}",
        f"--grpc-port={grpc[1]}",
        f"--grpc-restricted-protocol={','.join(LOCKED)}:homespun-key={key}",
        "--http-address=127.0.0.1",
        f"--http-port={http_port}",
        "--http-thread-count=2",
        "--allow-metrics=false",
        "--log-format=ISO8601",
    ]


def environment(site: Path, inherited: dict[str, str]) -> dict[str, str]:
    """The server's environment variables."""
    return {
        **inherited,
        "LD_LIBRARY_PATH": str(site / "nvidia_pytriton.libs"),
        # The stub ignores PYTHONPATH and takes the packages of the first python3 on the path.
        "PATH": f"{sys.prefix}/bin:{inherited.get('PATH', os.defpath)}",
        # An instance computes on one core: threads of several models that fight for few cores cost more than they give.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def link_backend(server: Path, folder: Path) -> Path:
    """A backend directory in `folder`: the Python backend with the stub that was built for this interpreter."""
    stub = server / f"python_backend_stubs/{sys.version_info.major}.{sys.version_info.minor}/triton_python_backend_stub"
    parts = [server / "backends/python/libtriton_python.so", server / "backends/python/triton_python_backend_utils.py"]
    (folder / "python").mkdir(parents=True)
    for part in [*parts, stub]:
        if not part.is_file():
            raise ServerError(
                f"nvidia-pytriton: expected {part.name} for Python {sys.version.split()[0]} in {part.parent}"
            )
        (folder / "python" / part.name).symlink_to(part)
    return folder


def main() -> None:
    """Become tritonserver."""
    parser = argparse.ArgumentParser(prog="python -m workloads.inference.server", description=__doc__.splitlines()[0])
    parser.add_argument("--repository", type=Path, default=Path("/repository/models"), help="the model repository")
    parser.add_argument("--grpc-address", default="0.0.0.0", help="where gRPC listens")  # noqa: S104
    parser.add_argument("--grpc-port", type=int, default=GRPC_PORT)
    parser.add_argument("--http-port", type=int, default=HTTP_PORT, help="model control, on 127.0.0.1")
    arguments = parser.parse_args()

    site = Path(sysconfig.get_path("purelib"))
    server = site / "pytriton/tritonserver"
    if not (server / "bin/tritonserver").is_file():
        raise SystemExit(f"expected nvidia-pytriton in {site}, found none: install requirements/triton.txt there")
    try:
        backends = link_backend(server, Path(tempfile.mkdtemp(prefix="backends-")))
    except ServerError as error:
        raise SystemExit(str(error)) from error
    arguments.repository.mkdir(parents=True, exist_ok=True)
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    stack = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
    # Nobody keeps the key: what it locks stays locked on this port.
    line = command(
        server=server,
        backends=backends,
        repository=arguments.repository,
        grpc=(arguments.grpc_address, arguments.grpc_port),
        http_port=arguments.http_port,
        key=secrets.token_urlsafe(32),
    )
    os.execve(line[0], line, environment(site, dict(os.environ)))  # noqa: S606


if __name__ == "__main__":
    main()
