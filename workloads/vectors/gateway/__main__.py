"""`python -m workloads.vectors.gateway`: one gateway. The defaults are those of its pod."""

import logging

from workloads.edge import gateway, logs, program
from workloads.edge.serve import serve
from workloads.vectors import config
from workloads.vectors.gateway import app
from workloads.vectors.gateway.engines import Engines


def main() -> None:
    """Run until SIGTERM."""
    given = gateway.arguments("workloads.vectors.gateway", __doc__)
    logs.setup()
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)  # it logs whole expressions, with what users ask
    followed = program.follow(given, config.CONFIG_MAP, config.CONFIG_KEY, config.parse, config.Config())
    servers, following = gateway.follow(given, config.SERVERS_SERVICE, followed.client)
    engines = Engines(followed.config, servers)
    serve(app.build(followed.config, engines, followed.following, following), given.host, given.port)


if __name__ == "__main__":
    main()
