"""Of collections too: a crash before or after any write of the operator converges, and then it writes nothing more."""

import pytest

from operators.vectors.handlers import Reconciler
from operators.vectors.ingestion import Gateways
from operators.vectors.manifests import Images
from tests.integration.operators.crashing import Operator
from tests.integration.operators.objects import (
    CHILDREN,
    apply,
    condition,
    get,
    inference_model,
    status,
    vector_collection,
    versions,
)
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.integration.parts.operator import GATEWAY, VECTORS_GATEWAY
from tests.integration.parts.vector_plane import VectorPlane

pytestmark = pytest.mark.usefixtures("resting_operator", "no_objects", "vector_plane")

NAME = "crashed"
IMAGES = Images(milvus="local/milvus:1", vectors="local/vectors:1", ingest="local/ingest:1")
SOURCE = {
    "embedding": {"modelRef": "one", "sourceFields": ["title"]},
    "ingestion": {"source": {"uri": "pvc://data/papers/*.jsonl"}},
}


def filled(cluster: Cluster) -> bool:
    """Whether the collection answers, with one Job that is to fill it."""
    jobs = [job["metadata"]["name"] for job in get(cluster, "jobs")]
    ready = condition(cluster, NAME, "Ready", "vc").get("status") == "True"
    return ready and jobs == [status(cluster, "vc", NAME).get("ingestion", {}).get("job")]


@pytest.fixture
def operator(cluster: Cluster) -> Operator:
    return Operator(
        cluster,
        lambda client, http: Reconciler(
            client, http, VECTORS_GATEWAY, VECTORS_GATEWAY, Gateways(GATEWAY, VECTORS_GATEWAY), IMAGES
        ),
        lambda: filled(cluster),
        lambda: versions(cluster, "VectorCollection", f"{CHILDREN},jobs"),
    )


async def test_a_collection_converges_from_a_crash_at_each_write(
    cluster: Cluster, operator: Operator, vector_plane: VectorPlane
) -> None:
    apply(cluster, inference_model("one"))

    async def nothing_but_the_object(_: str) -> None:
        cluster.kubectl("-n", NAMESPACE, "delete", "vc", "--all", "--wait")
        await operator.reconcile_once()
        # The engine has a collection of this name from the last time: what is looked at here are the objects.
        apply(cluster, vector_collection(NAME, **SOURCE))

    await operator.converges_from_every_crash(nothing_but_the_object)
