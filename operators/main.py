"""`python -m operators.main`: the operator. kopf's handlers only put keys on the queue."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import kopf
from httpx2 import AsyncClient as HttpClient
from lightkube import AsyncClient

from homespun.api import inference, training, vectors
from homespun.api.fields import GROUP, VERSION
from operators.children import KIND_LABEL
from operators.inference.handlers import Reconciler as InferenceReconciler
from operators.inference.manifests import Images as InferenceImages
from operators.queue import Queue
from operators.training.handlers import Reconciler as TrainingReconciler
from operators.training.manifests import JOBSET_LABEL
from operators.vectors.handlers import Reconciler as VectorsReconciler
from operators.vectors.ingestion import Gateways
from operators.vectors.manifests import Images as VectorsImages

WATCH_SECONDS: Final = 300
"""After so long a watch is begun anew: a connection that died in silence (a laptop that slept) is not waited on."""
CHILDREN: Final = (
    ("", "v1", "configmaps"),
    ("", "v1", "services"),
    ("apps", "v1", "deployments"),
    ("batch", "v1", "jobs"),
    ("jobset.x-k8s.io", "v1alpha2", "jobsets"),
)
PLURALS: Final = {
    inference.KIND: inference.PLURAL,
    vectors.KIND: vectors.PLURAL,
    training.KIND: training.PLURAL,
}
SECRETS_OF: Final = (inference.KIND, vectors.KIND)
"""Kinds that refer to Secrets."""
Key = tuple[str, str]
"""(kind, namespace): what is reconciled together."""


def main() -> int:
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    asyncio.run(_run(arguments))
    return 0


async def _run(arguments: argparse.Namespace) -> None:
    async with HttpClient() as http:
        client = AsyncClient(namespace=arguments.namespace)
        reconcilers: dict[str, Callable[[str], Awaitable[float]]] = {
            inference.KIND: InferenceReconciler(
                client,
                http,
                arguments.inference_gateway,
                arguments.inference_url or arguments.inference_gateway,
                InferenceImages(triton=arguments.triton_image, serving=arguments.serving_image),
            ).reconcile,
            vectors.KIND: VectorsReconciler(
                client,
                http,
                arguments.vectors_gateway,
                arguments.vectors_url or arguments.vectors_gateway,
                Gateways(arguments.inference_gateway, arguments.vectors_gateway),
                VectorsImages(
                    milvus=arguments.milvus_image, vectors=arguments.vectors_image, ingest=arguments.ingest_image
                ),
            ).reconcile,
            training.KIND: TrainingReconciler(client, arguments.training_image).reconcile,
        }

        async def reconcile(key: Key) -> float:
            kind, namespace = key
            return await reconcilers[kind](namespace)

        queue: Queue[Key] = Queue(reconcile)
        for kind in reconcilers:
            queue.add((kind, arguments.namespace))
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


def handlers(queue: Queue[Key]) -> kopf.OperatorRegistry:
    """Whatever happens to an object, a child or a declared token: look at its kind in its namespace again."""
    registry = kopf.OperatorRegistry()
    # A pod's service account, or the kubeconfig of whoever runs it by hand: lightkube looks in the same order.
    kopf.on.login(registry=registry)(kopf.login_with_service_account)
    kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)

    def look_at(*kinds: str) -> Any:
        async def changed(namespace: str | None, **_: Any) -> None:
            for kind in kinds if namespace else ():
                queue.add((kind, str(namespace)))

        return changed

    for kind, plural in PLURALS.items():
        kopf.on.event(GROUP, VERSION, plural, registry=registry)(look_at(kind))
        for group, version, children in CHILDREN:
            kopf.on.event(group, version, children, labels={KIND_LABEL: kind}, registry=registry)(look_at(kind))
    kopf.on.event("", "v1", "secrets", registry=registry)(look_at(*SECRETS_OF))
    # A worker that died takes the reason along as soon as all start again.
    kopf.on.event("", "v1", "pods", labels={JOBSET_LABEL: kopf.PRESENT}, registry=registry)(look_at(training.KIND))
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
    for kind in ("inference", "vectors"):
        parser.add_argument(f"--{kind}-gateway", required=True, metavar="URL", help="from here")
        parser.add_argument(f"--{kind}-url", metavar="URL", help="the same for clients (default: from here)")
    for image in ("triton", "serving", "milvus", "vectors", "ingest", "training"):
        parser.add_argument(f"--{image}-image", required=True)
    parser.add_argument("--health-port", type=int, default=8080)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
