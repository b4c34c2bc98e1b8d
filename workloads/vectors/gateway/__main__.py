"""`python -m workloads.vectors.gateway`: one gateway. The defaults are those of its pod."""

import argparse
import logging
import os
from pathlib import Path

from lightkube import AsyncClient

from workloads.edge import cluster, logs, servers
from workloads.edge.document import ConfigError
from workloads.edge.kept import Kept
from workloads.edge.serve import serve
from workloads.vectors import config
from workloads.vectors.gateway import app
from workloads.vectors.gateway.engines import Engines


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m workloads.vectors.gateway", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument(
        "--state", type=Path, default=Path("/tmp/gateway"), help="the last good configuration and servers"
    )
    parser.add_argument(
        "--namespace", default=os.environ.get("NAMESPACE") or None, help="$NAMESPACE, else that of the kubeconfig"
    )
    parser.add_argument(
        "--standalone", action="store_true", help="no API server: follow STATE/config.json and STATE/servers.json"
    )
    arguments = parser.parse_args()

    logs.setup()
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)  # it logs whole expressions, with what users ask
    kept = Kept(arguments.state / "config.json", config.parse, config.Config(), ConfigError)
    nobody: tuple[servers.Server, ...] = ()
    found = Kept(arguments.state / "servers.json", servers.parse, nobody, servers.ServersError)
    if arguments.standalone:
        follow = [kept.follow_file(), found.follow_file()]
    else:
        client = AsyncClient(namespace=arguments.namespace)
        follow = [
            cluster.follow_config_map(client, config.CONFIG_MAP, config.CONFIG_KEY, kept.offer),
            cluster.follow_service(client, config.SERVERS_SERVICE, found.offer),
        ]
    serve(app.build(kept, Engines(kept, found), *follow), arguments.host, arguments.port)


if __name__ == "__main__":
    main()
