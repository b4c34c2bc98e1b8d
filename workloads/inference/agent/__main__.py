"""`python -m workloads.inference.agent`: the agent beside one Triton. The defaults are those of its pod."""

import argparse
import os
from pathlib import Path

from lightkube import AsyncClient

from workloads.edge import agent, cluster, logs
from workloads.edge.document import ConfigError
from workloads.edge.kept import Kept
from workloads.edge.serve import serve
from workloads.inference import config
from workloads.inference.agent.loop import Agent
from workloads.inference.agent.triton import Triton
from workloads.inference.repository import Repository


def main() -> None:
    """Run until SIGTERM."""
    environment = os.environ
    parser = argparse.ArgumentParser(prog="python -m workloads.inference.agent", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument(
        "--root", type=Path, default=Path("/repository"), help="shared with Triton, which sees ROOT/models"
    )
    parser.add_argument("--claims", type=Path, default=Path("/claims"), help="the mounted claims, by name")
    parser.add_argument("--state", type=Path, default=Path("/tmp/agent"), help="the last good configuration")
    parser.add_argument("--triton", default="http://127.0.0.1:8000", help="Triton's HTTP port")
    parser.add_argument(
        "--namespace", default=environment.get("NAMESPACE") or None, help="$NAMESPACE, else that of the kubeconfig"
    )
    parser.add_argument(
        "--memory-limit",
        type=int,
        default=int(environment.get("MEMORY_LIMIT") or 0),
        help="$MEMORY_LIMIT: bytes that Triton may take; 0: no limit",
    )
    parser.add_argument("--standalone", action="store_true", help="no API server: follow STATE/config.json")
    arguments = parser.parse_args()

    logs.setup()
    environment.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    environment.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    environment.setdefault("HF_HOME", str(arguments.state / "huggingface"))
    kept = Kept(arguments.state / "config.json", config.parse, config.Config(), ConfigError)
    client = None if arguments.standalone else AsyncClient(namespace=arguments.namespace)

    async def token_of(model: str) -> str | None:
        return await cluster.read_secret(client, config.SOURCES_SECRET, model) if client else None

    keeper = Agent(
        config=kept,
        repository=Repository(arguments.root),
        triton=Triton(arguments.triton),
        claims=arguments.claims,
        token_of=token_of,
        memory_limit=arguments.memory_limit,
    )
    if client:
        follow = cluster.follow_config_map(client, config.CONFIG_MAP, config.CONFIG_KEY, kept.offer)
    else:
        follow = kept.follow_file()
    app = agent.build(keeper.placements, keeper.run(), keeper.probe(), follow)
    serve(app, arguments.host, arguments.port, agent.GRACE_SECONDS)


if __name__ == "__main__":
    main()
