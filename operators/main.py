"""`python -m operators.main`: the operator. kopf's handlers only put keys on the queue."""

import argparse
import asyncio
import logging
import sys
from typing import Any, Final

import kopf
from httpx2 import AsyncClient as HttpClient
from lightkube import AsyncClient

from homespun.api.fields import GROUP, VERSION
from homespun.api.inference import KIND, PLURAL
from operators.children import KIND_LABEL
from operators.inference.handlers import Reconciler
from operators.inference.manifests import Images
from operators.queue import Queue

WATCH_SECONDS: Final = 300
"""After so long a watch is begun anew: a connection that died in silence (a laptop that slept) is not waited on."""
CHILDREN: Final = (("", "v1", "configmaps"), ("", "v1", "services"), ("apps", "v1", "deployments"))


def main() -> int:
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    asyncio.run(_run(arguments))
    return 0


async def _run(arguments: argparse.Namespace) -> None:
    images = Images(triton=arguments.triton_image, serving=arguments.serving_image)
    async with HttpClient() as http:
        client = AsyncClient(namespace=arguments.namespace)
        reconciler = Reconciler(client, http, arguments.gateway, arguments.url or arguments.gateway, images)
        queue: Queue[str] = Queue(reconciler.reconcile)
        queue.add(arguments.namespace)
        worker = asyncio.create_task(queue.run())
        try:
            await kopf.operator(  # until SIGTERM
                registry=handlers(queue),
                settings=settings(),
                namespaces=[arguments.namespace],
                standalone=True,
                liveness_endpoint=f"http://0.0.0.0:{arguments.health_port}/healthz",
            )
        finally:
            worker.cancel()


def handlers(queue: Queue[str]) -> kopf.OperatorRegistry:
    """Whatever happens to an object, a child or a declared token: look at its namespace again."""
    registry = kopf.OperatorRegistry()
    # A pod's service account, or the kubeconfig of whoever runs it by hand: lightkube looks in the same order.
    kopf.on.login(registry=registry)(kopf.login_with_service_account)
    kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)

    async def changed(namespace: str | None, **_: Any) -> None:
        if namespace:
            queue.add(namespace)

    kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)(changed)
    for group, version, plural in CHILDREN:
        kopf.on.event(group, version, plural, labels={KIND_LABEL: KIND}, registry=registry)(changed)
    kopf.on.event("", "v1", "secrets", registry=registry)(changed)
    return registry


def settings() -> kopf.OperatorSettings:
    """kopf without its own memory on objects, and without a look at the cluster's CRDs, which needs rights."""
    chosen = kopf.OperatorSettings()
    chosen.scanning.disabled = True
    chosen.posting.enabled = False
    chosen.networking.request_timeout = 30
    chosen.watching.server_timeout = WATCH_SECONDS
    chosen.watching.client_timeout = WATCH_SECONDS + 10
    # kopf's own time-out ends the watch for good if it strikes between two events, as after a machine's sleep.
    chosen.watching.inactivity_timeout = 100 * 365 * 86400.0
    chosen.persistence.finalizer = f"{GROUP}/finalizer"
    chosen.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    return chosen


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m operators.main", description="Homespun's operator.")
    parser.add_argument("--namespace", default="ml", help="where the users' objects are")
    parser.add_argument("--gateway", required=True, metavar="URL", help="the inference gateway, from here")
    parser.add_argument("--url", metavar="URL", help="the inference gateway, for clients (default: --gateway)")
    parser.add_argument("--triton-image", required=True)
    parser.add_argument("--serving-image", required=True)
    parser.add_argument("--health-port", type=int, default=8080)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
