"""`python -m workloads.vectors.agent`: the agent beside the namespace's Milvus. The defaults are those of its pod."""

import argparse
import logging
import os
from pathlib import Path

from lightkube import AsyncClient

from workloads.edge import agent, cluster, logs
from workloads.edge.document import ConfigError
from workloads.edge.kept import Kept
from workloads.edge.serve import serve
from workloads.vectors import config
from workloads.vectors.agent.keeping import Agent
from workloads.vectors.engine import PORT


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m workloads.vectors.agent", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--state", type=Path, default=Path("/tmp/agent"), help="the last good configuration")
    parser.add_argument("--engine", default=f"http://127.0.0.1:{PORT}", help="the namespace's own Milvus")
    parser.add_argument(
        "--namespace", default=os.environ.get("NAMESPACE") or None, help="$NAMESPACE, else that of the kubeconfig"
    )
    parser.add_argument("--standalone", action="store_true", help="no API server: follow STATE/config.json")
    arguments = parser.parse_args()

    logs.setup()
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # a traceback for each refusal, with what was asked in it
    kept = Kept(arguments.state / "config.json", config.parse, config.Config(), ConfigError)
    if arguments.standalone:
        follow = kept.follow_file()
    else:
        client = AsyncClient(namespace=arguments.namespace)
        follow = cluster.follow_config_map(client, config.CONFIG_MAP, config.CONFIG_KEY, kept.offer)
    keeper = Agent(kept, arguments.engine)
    app = agent.build(keeper.placements, keeper.run(), follow)
    serve(app, arguments.host, arguments.port, agent.GRACE_SECONDS)


if __name__ == "__main__":
    main()
