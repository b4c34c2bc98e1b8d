"""`python -m workloads.inference.gateway`: one gateway. The defaults are those of its pod."""

from workloads.edge import gateway, logs, program
from workloads.edge.serve import serve
from workloads.inference import config
from workloads.inference.gateway import app
from workloads.inference.gateway.fleet import Fleet


def main() -> None:
    """Run until SIGTERM."""
    given = gateway.arguments("workloads.inference.gateway", __doc__)
    logs.setup()
    followed = program.follow(given, config.CONFIG_MAP, config.CONFIG_KEY, config.parse, config.Config())
    servers, following = gateway.follow(given, config.SERVERS_SERVICE, followed.client)
    serve(app.build(followed.config, Fleet(servers), followed.following, following), given.host, given.port)


if __name__ == "__main__":
    main()
