"""`python -m workloads.vectors.engine`: Milvus standalone as this process, with etcd, log and segments in one folder.

PyPI's `milvus` brings the server and a wrapper around it. The wrapper stays alive when the server dies, and the other
way round, so only its template of settings is used and the server takes the place of this process.
"""

import argparse
import lzma
import os
from pathlib import Path
from typing import Any, Final

PORT: Final = 19530
HEALTH_PORT: Final = 9091
ROOT_PORT: Final = 19532
"""Of its root coordinator: 53100 by default, which a client's connection may have, and for a minute after its end."""
SETTINGS: Final[dict[str, Any]] = {
    "common.session.ttl": 5,  # seconds that a killed server's leases hold up the next one; 60 by default
    "proxy.timeTickInterval": 50,  # ms: what a strongly consistent read waits for, at most
    "quotaAndLimits.flushRate.enabled": "false",
    # A growing segment is searched whole. By its interim index, clusters of which 16 of 128 are looked into, what is
    # far from most of its segment is found by no query: a small namespace that shares a partition with a large one.
    "queryNode.segcore.interimIndex.enableIndex": "false",
    "log.level": "warn",
    "log.file.rootPath": '""',  # standard output is enough
}
"""What differs from the package's own settings (https://milvus.io/docs/v2.3.x/system_configuration.md)."""


def unpack(folder: Path) -> Path:
    """The folder with the server's files, unpacked from the package unless they are there."""
    import milvus  # noqa: PLC0415  # in the engine's environment only

    packed = Path(milvus.__file__).parent / "data/bin"
    target = folder / f"bin-{milvus.__version__}"
    if target.exists():
        return target
    part = target.with_suffix(".part")
    part.mkdir(parents=True, exist_ok=True)
    for file in packed.glob("*.lzma"):
        out = part / file.stem
        with lzma.open(file) as content:
            out.write_bytes(content.read())
        out.chmod(0o755)
    part.rename(target)
    return target


def configure(folder: Path, port: int) -> None:
    """Write `configs/milvus.yaml`, where the server looks for it."""
    from milvus import MilvusServerConfig  # noqa: PLC0415

    config = MilvusServerConfig(data_dir=str(folder))
    config.resolve_storage()
    for name, value in {**SETTINGS, "proxy_port": port, "root_coord_port": ROOT_PORT}.items():
        config.set(name, value)
    # Not its `resolve`: that tries to bind each port first, and fails for a minute after a server was killed.
    config.write_config()


def main() -> None:
    """Become the server."""
    parser = argparse.ArgumentParser(prog="python -m workloads.vectors.engine", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("/data"))
    parser.add_argument("--port", type=int, default=PORT)
    arguments = parser.parse_args()
    binaries = unpack(arguments.data)
    configure(arguments.data, arguments.port)
    os.chdir(arguments.data)
    environment = {
        **os.environ,
        "DEPLOY_MODE": "STANDALONE",
        "METRICS_PORT": str(HEALTH_PORT),
        "MILVUS_RUN_DIR": str(arguments.data / "run"),
        "MILVUSCONF": str(arguments.data / "configs"),
        "LD_LIBRARY_PATH": str(binaries),
    }
    os.execve(binaries / "milvus", ["milvus", "run", "standalone"], environment)  # noqa: S606


if __name__ == "__main__":
    main()
