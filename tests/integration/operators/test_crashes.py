"""A crash before or after any write of the operator converges; a reconcile that has nothing to do writes nothing."""

import shutil

import pytest

from operators.inference.handlers import Reconciler
from operators.inference.manifests import Images
from tests.integration.operators.crashing import Operator
from tests.integration.operators.objects import apply, delete_all, get, inference_model, versions
from tests.integration.parts.data_plane import DataPlane
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.operator import GATEWAY, SERVING_IMAGE, TRITON_IMAGE

pytestmark = pytest.mark.usefixtures("resting_operator", "no_objects")


@pytest.fixture
def operator(cluster: Cluster) -> Operator:
    images = Images(triton=TRITON_IMAGE, serving=SERVING_IMAGE)
    return Operator(
        cluster,
        lambda client, http: Reconciler(client, http, GATEWAY, GATEWAY, images),
        lambda: is_up_to_date(cluster),
        lambda: versions(cluster),
    )


def is_up_to_date(cluster: Cluster) -> bool:
    conditions = [entry for model in get(cluster, "im") for entry in model.get("status", {}).get("conditions", [])]
    return bool(conditions) and all(entry["status"] == "True" for entry in conditions)


async def test_a_first_model_converges_from_a_crash_at_each_write(
    cluster: Cluster, operator: Operator, plane: DataPlane
) -> None:
    async def nothing_but_the_object(name: str) -> None:
        delete_all(cluster)
        await operator.run(operator.client())
        apply(cluster, inference_model(name))  # a new name: no engine holds it yet

    await operator.converges_from_every_crash(nothing_but_the_object)


async def test_a_new_revision_converges_from_a_crash_at_each_write(
    cluster: Cluster, operator: Operator, plane: DataPlane
) -> None:
    shutil.copytree(plane.claims / "models/minilm", plane.claims / "models/next", dirs_exist_ok=True)

    async def a_declared_change(name: str) -> None:
        delete_all(cluster)
        apply(cluster, inference_model(name))
        await operator.run(operator.client())
        apply(cluster, inference_model(name, "next"))

    await operator.converges_from_every_crash(a_declared_change)


async def test_a_reconcile_that_has_nothing_to_do_changes_no_resource_version(
    cluster: Cluster, operator: Operator, plane: DataPlane
) -> None:
    apply(cluster, inference_model("one"), inference_model("two", task="sentence-similarity"))
    await operator.run(operator.client())
    assert operator.done()
    for _ in range(3):
        await operator.is_at_rest()
