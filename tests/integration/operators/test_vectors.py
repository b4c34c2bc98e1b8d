"""A collection becomes Ready by a write and a query, and is filled by a Job once it is."""

import json
from typing import Any

import pytest

from tests.integration.operators.objects import (
    apply,
    children,
    condition,
    get,
    inference_model,
    status,
    vector_collection,
)
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.integration.parts.vector_plane import VectorPlane
from tests.waiting import until

SOURCE: dict[str, Any] = {
    "embedding": {"modelRef": "one", "sourceFields": ["title"]},
    "ingestion": {"source": {"uri": "pvc://data/papers/*.jsonl"}},
}


pytestmark = pytest.mark.usefixtures("running_operator", "no_objects")


def ready(cluster: Cluster, name: str) -> bool:
    return condition(cluster, name, "Ready", "vc").get("status") == "True"


def looks(cluster: Cluster) -> int:
    """How often the operator has read the collections."""
    entries = map(json.loads, cluster.audit_log.read_text().splitlines())
    return sum(
        entry["verb"] == "list"
        and entry["user"]["username"] == "operator"
        and entry.get("objectRef", {}).get("resource") == "vectorcollections"
        for entry in entries
    )


def can_not_begin(cluster: Cluster, pod: str) -> None:
    """As a kubelet would tell it that finds no Secret for a pod's environment; none runs here."""
    wait = {"reason": "CreateContainerConfigError", "message": 'secret "library" not found'}
    container = {"name": "ingest", "image": "x:1", "imageID": "", "ready": False, "restartCount": 0}
    patch = json.dumps({"status": {"containerStatuses": [{**container, "state": {"waiting": wait}}]}})
    cluster.kubectl("-n", NAMESPACE, "patch", "pod", pod, "--subresource=status", "--type=merge", "-p", patch)


def test_an_applied_collection_becomes_ready_and_answers(cluster: Cluster, vector_plane: VectorPlane) -> None:
    apply(cluster, vector_collection("shelf", metadata={"fields": [{"name": "year", "type": "int"}]}))
    until("Ready", lambda: ready(cluster, "shelf"))
    vectors = [{"id": "a", "values": [1, 0, 0, 0], "metadata": {"year": 1999}}]
    assert vector_plane.post("shelf", "/vectors/upsert", {"vectors": vectors}).json() == {"upsertedCount": 1}

    def found() -> list[str]:
        body = {"vector": [1, 0, 0, 0], "topK": 3, "filter": {"year": {"$lt": 2000}}}
        return [match["id"] for match in vector_plane.post("shelf", "/query", body).json()["matches"]]

    until("its vector", lambda: found() == ["a"], 10)
    until("its number", lambda: status(cluster, "vc", "shelf")["rows"] == 1, 30)
    assert status(cluster, "vc", "shelf")["active"] == {"generation": 1, "collection": "hs_shelf_g1"}


def test_looking_again_writes_nothing(cluster: Cluster, vector_plane: VectorPlane) -> None:
    apply(cluster, vector_collection("again"))
    until("Ready", lambda: ready(cluster, "again"))
    until("its number", lambda: status(cluster, "vc", "again").get("rows") == 0)
    before, seen = children(cluster, "VectorCollection"), looks(cluster)
    cluster.kubectl("-n", NAMESPACE, "annotate", "vc", "again", "look=again")
    until("a look or two", lambda: looks(cluster) > seen + 2)
    assert children(cluster, "VectorCollection") == before


def test_a_key_of_a_secret_is_asked_for(cluster: Cluster, vector_plane: VectorPlane) -> None:
    apply(cluster, vector_collection("guarded", access={"tokens": [{"secretRef": {"name": "reader"}}]}))
    until("the reason", lambda: condition(cluster, "guarded", "Accepted", "vc").get("reason") == "SecretNotFound")
    cluster.kubectl("-n", NAMESPACE, "create", "secret", "generic", "reader", "--from-literal=key=no")
    lacking = "add the key token to Secret reader"
    until("what it lacks", lambda: lacking in condition(cluster, "guarded", "Accepted", "vc")["message"])
    with_a_line = json.dumps({"stringData": {"token": "pc_mine\n"}})  # as of a file that an editor has written
    cluster.kubectl("-n", NAMESPACE, "patch", "secret", "reader", "-p", with_a_line)
    until("Ready", lambda: ready(cluster, "guarded"))
    body = {"vector": [1, 0, 0, 0], "topK": 1}
    until("the key", lambda: vector_plane.post("guarded", "/query", body, "pc_mine").status_code == 200, 10)
    assert vector_plane.post("guarded", "/query", body, "pc_other").status_code == 401
    cluster.kubectl("-n", NAMESPACE, "delete", "secret", "reader")


def test_a_source_waits_for_its_model_and_gets_one_job(cluster: Cluster, vector_plane: VectorPlane) -> None:
    apply(cluster, vector_collection("filled", **SOURCE))
    until("the reason", lambda: condition(cluster, "filled", "Ingested", "vc").get("reason") == "ModelNotFound")
    assert get(cluster, "jobs") == []
    apply(cluster, inference_model("one"))
    until("the Job", lambda: len(get(cluster, "jobs")) == 1)
    (job,) = get(cluster, "jobs")
    assert job["metadata"]["name"] == status(cluster, "vc", "filled")["ingestion"]["job"]
    other = {**SOURCE, "embedding": {"modelRef": "one", "sourceFields": ["title", "summary"]}}
    apply(cluster, vector_collection("filled", **other))
    until("another Job", lambda: [one["metadata"]["name"] for one in get(cluster, "jobs")] != [job["metadata"]["name"]])
    until("it alone", lambda: len(get(cluster, "jobs")) == 1)
    apply(cluster, vector_collection("filled"))
    until("none", lambda: get(cluster, "jobs") == [])
    names = [one["metadata"]["name"] for one in get(cluster, "configmaps")]
    assert "vectors-ingest-filled" not in names


def test_a_bucket_waits_for_its_key_which_only_the_jobs_environment_refers_to(
    cluster: Cluster, vector_plane: VectorPlane
) -> None:
    keys = {name: {"name": "library", "key": name[:3]} for name in ("accessKeyIdSecretRef", "secretAccessKeySecretRef")}
    source = {"uri": "s3://library/papers/*.jsonl", "s3": {"endpoint": "http://nas:9000", "credentials": keys}}
    apply(cluster, inference_model("one"))
    apply(cluster, vector_collection("lent", **{**SOURCE, "ingestion": {"source": source}}))
    until("the reason", lambda: condition(cluster, "lent", "Ingested", "vc").get("reason") == "SecretNotFound")
    told = condition(cluster, "lent", "Ingested", "vc")["message"]
    assert "`kubectl create secret generic library --from-file=acc=FILE --from-file=sec=FILE`" in told
    words = ["--from-literal=acc=the-librarian", "--from-literal=sec=nothing-may-show-it"]
    cluster.kubectl("-n", NAMESPACE, "create", "secret", "generic", "library", *words)
    until("the Job", lambda: len(get(cluster, "jobs")) == 1)
    for kind in ("jobs", "pods", "configmaps", "vc", "events"):
        shown = cluster.kubectl("-n", NAMESPACE, "get", kind, "-o", "yaml")
        assert "the-librarian" not in shown
        assert "nothing-may-show-it" not in shown

    def reason() -> Any:
        return condition(cluster, "lent", "Ingested", "vc").get("reason")

    until("a run", lambda: reason() == "Running")
    seen = looks(cluster)
    cluster.kubectl("-n", NAMESPACE, "delete", "secret", "library")
    until("a look or two", lambda: looks(cluster) > seen + 2)
    assert (reason(), status(cluster, "vc", "lent")["ingestion"]["state"]) == ("Running", "Running")
    until("its pod", lambda: len(get(cluster, "pods")) == 1)
    can_not_begin(cluster, get(cluster, "pods")[0]["metadata"]["name"])
    until("the reason", lambda: reason() == "SecretNotFound")
    assert len(get(cluster, "jobs")) == 1
