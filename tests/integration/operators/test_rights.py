"""The operator, the agent and the gateway do what their tables allow, no more, and need each row of them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import yaml

from operators import rbac
from operators.rbac import Right
from tests.integration.operators.objects import apply, get, inference_model, pod_of, training_job, vector_collection
from tests.integration.operators.test_serving import ready
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE, SUBJECTS
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("running_operator", "no_objects", "plane", "vector_plane")

Use = tuple[str, str, str]
"""(group, resource with subresource, verb)"""


@pytest.fixture
def worked(cluster: Cluster, page: str) -> None:
    """All of them have had something to do."""
    assert httpx2.get(page).status_code == 200
    cluster.kubectl("-n", NAMESPACE, "delete", "configmap/inference", "service/inference-servers", "--ignore-not-found")
    apply(cluster, inference_model("one"), inference_model("two"))
    until("Ready", lambda: ready(cluster, "one"))
    # Fetching from a hub asks for the token of the source; there is no hub here, and that it asks is enough.
    hub = {"uri": "hf://org/name", "revision": "0" * 40, "tokenSecretRef": {"name": "absent"}}
    apply(cluster, inference_model("hub", source=hub))
    until("the agent's question", lambda: ("", "secrets", "get") in set(used(cluster, "inference-server")))
    source = {"embedding": {"modelRef": "one", "sourceFields": ["title"]},
              "ingestion": {"source": {"uri": "pvc://data/papers/*.jsonl"}}}  # fmt: skip
    apply(cluster, vector_collection("rights", **source), training_job("rights"))
    until("the Job", lambda: [one for one in get(cluster, "jobs") if one["metadata"]["name"].startswith("rights-")])
    until("the workers", lambda: workers(cluster))
    labels = {"jobset.sigs.k8s.io/jobset-name": "rights", "batch.kubernetes.io/job-completion-index": "0"}
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(pod_of("rights-w-0-0-x", labels)))
    until("a look at its log", lambda: ("", "pods/log", "get") in set(used(cluster, "operator")))
    apply(cluster, vector_collection("rights"), training_job("rights", suspend=True))
    until("the end of the Job", lambda: ("batch", "jobs", "delete") in set(used(cluster, "operator")))
    until("the call back", lambda: workers(cluster)[0]["spec"]["suspend"])
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", "rights-w-0-0-x", "--grace-period=0", "--force")
    cluster.kubectl("-n", NAMESPACE, "delete", "vc,tj", "--all", "--wait")
    # Children that nobody owns: of the others the garbage collector may be the first to see that their owner is gone.
    apply(cluster, *stray_children())
    deleted = {("apps", "deployments", "delete"), ("", "services", "delete"), ("", "secrets", "delete")}
    until("their end", lambda: deleted <= set(used(cluster, "operator")))
    cluster.kubectl("-n", NAMESPACE, "delete", "im", "--all", "--wait")


def stray_children() -> list[dict[str, Any]]:
    """What an operator of before may have left."""
    metadata = {"name": "stray", "namespace": NAMESPACE, "labels": {"homespun.dev/kind": "InferenceModel"}}
    labels = {"app": "stray"}
    pod = {"metadata": {"labels": labels}, "spec": pod_of("stray", labels)["spec"]}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata},
    ]


@pytest.mark.usefixtures("worked")
@pytest.mark.parametrize("user", sorted(SUBJECTS))
class TestOfAProgram:
    def test_nothing_was_forbidden(self, cluster: Cluster, user: str) -> None:
        # An API server that has just started refuses what it allows as soon as it has read the roles.
        assert not set(used(cluster, user, refused=True)) - set(used(cluster, user))

    def test_each_row_of_its_table_was_used(self, cluster: Cluster, user: str) -> None:
        seen = set(used(cluster, user))
        table = (*SUBJECTS[user], *(rbac.PAGE_CLUSTER if user == "page" else ()))
        unused = [use for right in table for use in uses(right) if use not in seen]
        assert not unused


def workers(cluster: Cluster) -> list[dict[str, Any]]:
    return [one for one in get(cluster, "jobsets") if one["metadata"]["name"] == "rights"]


def uses(right: Right) -> Iterator[Use]:
    return ((right.group, resource, verb) for resource in right.resources for verb in right.verbs)


def used(cluster: Cluster, user: str, refused: bool = False) -> Iterator[Use]:
    """What the API server let a user do, or refused."""
    for line in cluster.audit_log.read_text().splitlines():
        entry = json.loads(line)
        what, response = entry.get("objectRef"), entry.get("responseStatus")
        if entry["user"]["username"] != user or not what or not response or (response["code"] == 403) != refused:
            continue
        resource = f"{what['resource']}/{what['subresource']}" if what.get("subresource") else what["resource"]
        yield what.get("apiGroup", ""), resource, entry["verb"]
        if entry["verb"] == "patch" and response["code"] == 201:
            yield what.get("apiGroup", ""), resource, "create"  # an apply that creates needs both rights
