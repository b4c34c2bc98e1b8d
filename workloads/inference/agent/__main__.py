"""`python -m workloads.inference.agent`: the agent beside one Triton. The defaults are those of its pod."""

import os
from pathlib import Path

from workloads.edge import agent, cluster, logs, program
from workloads.edge.serve import serve
from workloads.inference import config
from workloads.inference.agent.loop import Agent
from workloads.inference.agent.triton import Triton
from workloads.inference.repository import Repository


def main() -> None:
    """Run until SIGTERM."""
    environment = os.environ
    parser = agent.parser("workloads.inference.agent", __doc__)
    parser.add_argument(
        "--root", type=Path, default=Path("/repository"), help="shared with Triton, which sees ROOT/models"
    )
    parser.add_argument("--claims", type=Path, default=Path("/claims"), help="the mounted claims, by name")
    parser.add_argument("--triton", default="http://127.0.0.1:8000", help="Triton's HTTP port")
    parser.add_argument(
        "--memory-limit",
        type=int,
        default=int(environment.get("MEMORY_LIMIT") or 0),
        help="$MEMORY_LIMIT: bytes that Triton may take; 0: no limit",
    )
    given = parser.parse_args()

    logs.setup()
    environment.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    environment.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    environment.setdefault("HF_HOME", str(given.state / "huggingface"))
    followed = program.follow(given, config.CONFIG_MAP, config.CONFIG_KEY, config.parse, config.Config())
    client = followed.client

    async def token_of(model: str) -> str | None:
        return await cluster.read_secret(client, config.SOURCES_SECRET, model) if client else None

    keeper = Agent(
        config=followed.config,
        repository=Repository(given.root),
        triton=Triton(given.triton),
        claims=given.claims,
        token_of=token_of,
        memory_limit=given.memory_limit,
    )
    app = agent.build(keeper.placements, keeper.run(), keeper.probe(), followed.following)
    serve(app, given.host, given.port, agent.GRACE_SECONDS)


if __name__ == "__main__":
    main()
