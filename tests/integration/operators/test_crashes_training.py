"""Of jobs too: a crash before or after any write of the operator converges, and then it writes nothing more."""

import pytest

from operators.training.handlers import Reconciler
from tests.integration.operators.crashing import Operator
from tests.integration.operators.objects import apply, delete_all, get, status, training_job, versions
from tests.integration.parts.kubernetes import Cluster

pytestmark = pytest.mark.usefixtures("resting_operator", "no_objects")


def begun(cluster: Cluster) -> bool:
    """Whether each job has its workers, or has sent them away, and shows it."""
    sets = {one["metadata"]["name"]: one["spec"] for one in get(cluster, "jobsets")}
    documents = {one["metadata"]["name"] for one in get(cluster, "configmaps")}
    jobs = get(cluster, "trainingjobs")
    return all(
        f"training-{name}" in documents
        and (sets.get(name) or {}).get("suspend") is suspend
        and status(cluster, "tj", name).get("state") == ("Suspended" if suspend else "Starting")
        for name, suspend in ((job["metadata"]["name"], job["spec"].get("suspend", False)) for job in jobs)
    )


def present_versions(cluster: Cluster) -> dict[str, str]:
    """Without what earlier jobs leave to be collected."""
    names = tuple(job["metadata"]["name"] for job in get(cluster, "trainingjobs"))
    found = versions(cluster, "TrainingJob", "configmaps,jobsets")
    return {what: version for what, version in found.items() if what.endswith(names)}


@pytest.fixture
def operator(cluster: Cluster) -> Operator:
    return Operator(
        cluster,
        lambda client, http: Reconciler(client, "local/training:1"),
        lambda: begun(cluster),
        lambda: present_versions(cluster),
    )


async def test_a_job_converges_from_a_crash_at_each_write(cluster: Cluster, operator: Operator) -> None:
    async def nothing_but_the_object(name: str) -> None:
        delete_all(cluster)
        apply(cluster, training_job(name))

    await operator.converges_from_every_crash(nothing_but_the_object)


async def test_workers_that_are_sent_away_converge_from_a_crash_at_each_write(
    cluster: Cluster, operator: Operator
) -> None:
    async def one_that_is_suspended(name: str) -> None:
        delete_all(cluster)
        apply(cluster, training_job(name))
        await operator.run(operator.client())
        apply(cluster, training_job(name, suspend=True))

    await operator.converges_from_every_crash(one_that_is_suspended)
