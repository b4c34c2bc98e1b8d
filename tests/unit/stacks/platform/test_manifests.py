"""The platform's objects keep to our policy, and name what they need."""

from dataclasses import replace

import pytest

from operators.children import Manifest
from stacks.platform.manifests import Platform, manifests, outlives
from tests.policy import violations

NAMES = ("operator", "serving", "triton", "vectors", "milvus", "ingest", "training", "jobset")
JOBSET: tuple[Manifest, ...] = (
    {"apiVersion": "v1", "kind": "CustomResourceDefinition", "metadata": {"name": "jobsets.jobset.x-k8s.io"}},
    {"apiVersion": "v1", "kind": "ClusterRole", "metadata": {"name": "manager-role"}, "rules": []},
    {
        "apiVersion": "v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "mutating-webhook-configuration"},
        "webhooks": [
            {
                "clientConfig": {"service": {"name": "x", "namespace": "y", "path": "/p"}},
                "rules": [{"resources": [one]}],
            }
            for one in ("jobsets", "pods")
        ],
    },
)
"""The shape of upstream's parts."""
PLATFORM = Platform(
    namespace="ml",
    address="198.51.100.2",
    images={name: f"localhost/homespun-{name}:1" for name in NAMES},
    volumes="/var/lib/homespun-volumes",
    jobset=JOBSET,
)


def names(rendered: list[Manifest]) -> set[str]:
    return {f"{manifest['kind']}/{manifest['metadata']['name']}" for manifest in rendered}


@pytest.mark.parametrize("manifest", manifests(PLATFORM), ids=lambda m: f"{m['kind']}/{m['metadata']['name']}")
def test_an_object_keeps_to_the_policy(manifest: Manifest) -> None:
    assert violations(manifest) == []


def test_every_service_account_that_a_pod_names_is_made() -> None:
    rendered = manifests(PLATFORM)
    for manifest in rendered:
        if manifest["kind"] == "Deployment":
            assert f"ServiceAccount/{manifest['spec']['template']['spec']['serviceAccountName']}" in names(rendered)


def test_a_machine_of_ours_holds_the_models_in_a_folder_that_only_their_claim_can_have() -> None:
    volume = next(manifest for manifest in manifests(PLATFORM) if manifest["kind"] == "PersistentVolume")
    assert volume["spec"]["claimRef"] == {"namespace": "ml", "name": "models"}
    assert volume["spec"]["local"]["path"] == "/var/lib/homespun-volumes/models"


def test_the_claim_data_alone_is_had_by_machines_that_mount_it() -> None:
    terms = {
        one["metadata"]["name"]: one["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        for one in manifests(PLATFORM)
        if one["kind"] == "PersistentVolume"
    }
    keys = {name: [one["key"] for term in found for one in term["matchExpressions"]] for name, found in terms.items()}
    holds, sees = ["homespun.dev/claims"], ["homespun.dev/data"]
    assert keys == {"ml-models": holds, "ml-vectors": holds, "ml-data": sees}


def test_a_given_cluster_provides_the_models_volume_itself() -> None:
    rendered = manifests(replace(PLATFORM, volumes=None))
    assert "PersistentVolume/ml-models" not in names(rendered)
    claim = next(manifest for manifest in rendered if manifest["kind"] == "PersistentVolumeClaim")
    assert "storageClassName" not in claim["spec"]


def test_both_namespaces_are_restricted() -> None:
    for manifest in manifests(PLATFORM):
        if manifest["kind"] == "Namespace":
            assert manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_nobody_but_the_controllers_may_write() -> None:
    for manifest in manifests(PLATFORM):
        writers = ("homespun-operator", "homespun-jobset-controller", "jobset-controller")
        if manifest["kind"] in ("Role", "ClusterRole") and manifest["metadata"]["name"] not in writers:
            assert all(set(rule["verbs"]) <= {"get", "list", "watch"} for rule in manifest["rules"])


def test_what_users_objects_and_data_hang_on_outlives_the_platform() -> None:
    kept = names([manifest for manifest in manifests(PLATFORM) if outlives(manifest)])
    assert kept == {
        "Namespace/ml",
        "CustomResourceDefinition/inferencemodels.homespun.dev",
        "CustomResourceDefinition/vectorcollections.homespun.dev",
        "CustomResourceDefinition/trainingjobs.homespun.dev",
        "CustomResourceDefinition/jobsets.jobset.x-k8s.io",
        "PersistentVolume/ml-models",
        "PersistentVolumeClaim/models",
        "PersistentVolume/ml-vectors",
        "PersistentVolumeClaim/vectors",
        "PersistentVolume/ml-data",
        "PersistentVolumeClaim/data",
    }


def test_pods_that_are_no_jobsets_do_not_wait_for_its_webhook() -> None:
    (webhooks,) = (one for one in manifests(PLATFORM) if one["kind"] == "MutatingWebhookConfiguration")
    of_jobsets, of_pods = webhooks["webhooks"]
    assert "objectSelector" not in of_jobsets
    assert of_pods["objectSelector"]["matchExpressions"][0]["key"] == "jobset.sigs.k8s.io/jobset-name"
    assert of_pods["clientConfig"]["service"] == {
        "name": "jobset-webhook-service", "namespace": "homespun-system", "path": "/p",
    }  # fmt: skip


def test_a_jobset_that_is_there_already_is_left_alone() -> None:
    assert not {name for name in names(manifests(replace(PLATFORM, jobset=()))) if "jobset" in name.lower()}
