"""`python -m workloads.vectors.agent`: the agent beside the namespace's Milvus. The defaults are those of its pod."""

import logging

from workloads.edge import agent, logs, program
from workloads.edge.serve import serve
from workloads.vectors import config
from workloads.vectors.agent.keeping import Agent
from workloads.vectors.engine import PORT


def main() -> None:
    """Run until SIGTERM."""
    parser = agent.parser("workloads.vectors.agent", __doc__)
    parser.add_argument("--engine", default=f"http://127.0.0.1:{PORT}", help="the namespace's own Milvus")
    given = parser.parse_args()
    logs.setup()
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # a traceback for each refusal, with what was asked in it
    followed = program.follow(given, config.CONFIG_MAP, config.CONFIG_KEY, config.parse, config.Config())
    keeper = Agent(followed.config, given.engine)
    app = agent.build(keeper.placements, keeper.run(), followed.following)
    serve(app, given.host, given.port, agent.GRACE_SECONDS)


if __name__ == "__main__":
    main()
