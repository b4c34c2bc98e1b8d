"""Children are made, kept as they ought to be, and taken away with the last object."""

import pytest

from operators.inference.manifests import SERVER
from tests.integration.operators.objects import apply, children, condition, delete_all, get, inference_model
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("running_operator", "no_objects")

ALL = {
    "ConfigMap/inference",
    "Secret/inference-probe",
    "Secret/inference-sources",
    "Service/inference-servers",
    f"Deployment/{SERVER}",
}


def test_a_model_brings_its_children_and_says_what_it_waits_for(cluster: Cluster) -> None:
    apply(cluster, inference_model("one", "nowhere"))
    until("all children", lambda: set(children(cluster)) == ALL)
    until("a condition", lambda: condition(cluster, "one", "Ready"))
    assert condition(cluster, "one", "Accepted")["status"] == "True"
    assert condition(cluster, "one", "Ready")["status"] != "True"
    assert condition(cluster, "one", "Ready")["message"]


def test_a_deleted_child_is_made_again(cluster: Cluster) -> None:
    apply(cluster, inference_model("one"))
    until("all children", lambda: set(children(cluster)) == ALL)
    for child in sorted(ALL):
        cluster.kubectl("-n", NAMESPACE, "delete", child, "--wait=false")
        until(f"{child} again", lambda: set(children(cluster)) == ALL)


def test_an_edited_child_is_restored(cluster: Cluster) -> None:
    apply(cluster, inference_model("one"))
    until("all children", lambda: set(children(cluster)) == ALL)
    cluster.kubectl("-n", NAMESPACE, "scale", f"deployment/{SERVER}", "--replicas=0")
    cluster.kubectl("-n", NAMESPACE, "patch", "configmap/inference", "-p", '{"data": {"config.json": "nonsense"}}')
    until("the replicas", lambda: children(cluster)[f"Deployment/{SERVER}"]["spec"]["replicas"] == 1)
    until("the configuration", lambda: "org/one" in children(cluster)["ConfigMap/inference"]["data"]["config.json"])


def test_a_claim_that_is_not_there_holds_up_nobodys_server(cluster: Cluster) -> None:
    apply(cluster, inference_model("one"), inference_model("lost", source={"uri": "pvc://nowhere/x"}))
    until("all children", lambda: set(children(cluster)) == ALL)
    pod = children(cluster)[f"Deployment/{SERVER}"]["spec"]["template"]["spec"]
    claims = [one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"] if "persistentVolumeClaim" in one]
    assert claims == ["models"]


def test_two_models_share_the_children_and_own_them_together(cluster: Cluster) -> None:
    apply(cluster, inference_model("one"), inference_model("two"))
    until("both as owners", lambda: _owners(cluster) == {"one", "two"})
    cluster.kubectl("-n", NAMESPACE, "delete", "im", "one", "--wait")
    until("the other as owner", lambda: _owners(cluster) == {"two"})


def test_the_last_model_takes_the_children_with_it(cluster: Cluster) -> None:
    apply(cluster, inference_model("one"))
    until("all children", lambda: set(children(cluster)) == ALL)
    delete_all(cluster)
    until("no children but the configuration", lambda: set(children(cluster)) == {"ConfigMap/inference"})
    assert '"models": []' in children(cluster)["ConfigMap/inference"]["data"]["config.json"]


def test_the_younger_of_two_with_one_model_id_is_told_so(cluster: Cluster) -> None:
    apply(cluster, inference_model("one"))
    until("the first", lambda: condition(cluster, "one", "Accepted").get("status") == "True")
    apply(cluster, inference_model("two", modelId="org/one"))
    until("a refusal", lambda: condition(cluster, "two", "Accepted").get("reason") == "DuplicateModelId")
    assert "older object one" in condition(cluster, "two", "Accepted")["message"]
    assert condition(cluster, "one", "Accepted")["status"] == "True"


def test_a_token_that_appears_is_noticed(cluster: Cluster) -> None:
    apply(cluster, inference_model("one", access={"tokens": [{"secretRef": {"name": "late"}}]}))
    until("its absence", lambda: condition(cluster, "one", "Accepted").get("reason") == "SecretNotFound")
    cluster.kubectl("-n", NAMESPACE, "create", "secret", "generic", "late", "--from-literal=token=hf_verysecret")
    until("its presence", lambda: condition(cluster, "one", "Accepted").get("status") == "True")
    assert "hf_verysecret" not in str(get(cluster, "inferencemodels,configmaps"))
    cluster.kubectl("-n", NAMESPACE, "delete", "secret", "late")


def _owners(cluster: Cluster) -> set[str]:
    deployment = children(cluster).get(f"Deployment/{SERVER}")
    return {owner["name"] for owner in deployment["metadata"].get("ownerReferences", [])} if deployment else set()
