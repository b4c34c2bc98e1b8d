"""The plugin's process: `pulumi-resource-kubernetes ENGINE_ADDRESS`."""

import asyncio
import os
import signal
import sys

import grpc.aio
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from tools.pulumi import engine
from tools.pulumi.install import KUBERNETES_VERSION
from tools.pulumi.kubernetes.servicer import Kubernetes


async def serve(engine_address: str) -> None:
    """Serve until the engine asks for the end. An engine that was killed ends the process (engine.exit_with_engine)."""
    server = grpc.aio.server(options=engine.GRPC_OPTIONS)
    add_ResourceProviderServicer_to_server(Kubernetes(engine_address, KUBERNETES_VERSION), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    engine.announce(port)
    await asked.wait()
    await server.stop(0)


if __name__ == "__main__":
    engine.exit_with_engine()
    asyncio.run(serve(sys.argv[-1]))
    os._exit(0)
