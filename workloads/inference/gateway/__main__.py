"""`python -m workloads.inference.gateway`: one gateway. The defaults are those of its pod."""

from workloads.edge import gateway, logs
from workloads.edge.serve import serve
from workloads.inference import config
from workloads.inference.gateway import app
from workloads.inference.gateway.fleet import Fleet


def main() -> None:
    """Run until SIGTERM."""
    given = gateway.arguments("workloads.inference.gateway", __doc__)
    logs.setup()
    followed = gateway.follow(
        given, config.CONFIG_MAP, config.CONFIG_KEY, config.SERVERS_SERVICE, config.parse, config.Config()
    )
    serve(app.build(followed.config, Fleet(followed.servers), *followed.coroutines), given.host, given.port)


if __name__ == "__main__":
    main()
