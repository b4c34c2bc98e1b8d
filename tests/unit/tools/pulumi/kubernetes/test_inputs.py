"""What a program declares is completed with a name, a namespace and a field manager."""

from typing import Any

import pytest

from tools.pulumi.kubernetes import inputs
from tools.pulumi.kubernetes.values import UNKNOWN

URN = "urn:pulumi:dev::project::parent:t:C$kubernetes:core/v1:ConfigMap::my-map"
TOKEN = "kubernetes:core/v1:ConfigMap"


def completed(declared: dict[str, Any], recorded: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"urn": URN, "token": TOKEN, "seed": b"seed", "namespace": "default", **other}
    return inputs.completed(declared, recorded or {}, **given)


def test_an_object_without_a_name_gets_one_of_its_resources_name() -> None:
    metadata = completed({})["metadata"]
    assert metadata["name"].startswith("my-map-")
    assert len(metadata["name"]) == len("my-map-") + 8
    assert metadata["annotations"] == {"pulumi.com/autonamed": "true"}


def test_the_name_and_the_manager_of_the_record_are_kept() -> None:
    first = completed({})
    assert completed({}, first, seed=b"another") == first


def test_another_seed_makes_another_name() -> None:
    assert completed({})["metadata"]["name"] != completed({}, seed=b"another")["metadata"]["name"]


def test_a_name_that_is_declared_now_ends_the_made_up_one() -> None:
    metadata = completed({"metadata": {"name": "mine"}}, completed({}))["metadata"]
    assert metadata == {"name": "mine", "namespace": "default"}


def test_a_namespace_is_filled_in_only_where_the_kind_has_one_and_none_is_declared() -> None:
    assert "namespace" not in completed({"metadata": {"name": "a"}}, namespace=None)["metadata"]
    assert completed({"metadata": {"name": "a", "namespace": "b"}})["metadata"]["namespace"] == "b"


def test_a_manager_is_named_by_the_object_or_made_up() -> None:
    assert completed({})["__fieldManager"].startswith("pulumi-kubernetes-")
    asked = {"metadata": {"name": "a", "annotations": {"pulumi.com/patchFieldManager": "me"}}}
    assert completed(asked)["__fieldManager"] == "me"


def test_metadata_that_is_not_known_yet_is_left_alone() -> None:
    assert completed({"metadata": UNKNOWN})["metadata"] == UNKNOWN


def test_what_is_declared_is_not_changed_in_place() -> None:
    declared: dict[str, Any] = {"metadata": {}}
    completed(declared)
    assert declared == {"metadata": {}}


@pytest.mark.parametrize(
    ("declared", "token", "property"),
    [
        ({"kind": "A"}, TOKEN, "apiVersion"),
        ({"apiVersion": "v1"}, TOKEN, "kind"),
        ({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a b"}}, TOKEN, "metadata.name"),
        ({"apiVersion": "v1", "kind": "A", "metadata": {"generateName": "a"}}, TOKEN, "metadata.generateName"),
        ({"apiVersion": "v1", "kind": "A"}, TOKEN + "Patch", "metadata.name"),
        (
            {"apiVersion": "v1", "kind": "A", "metadata": {"annotations": {"pulumi.com/waitFor": "x"}}},
            TOKEN,
            "metadata.annotations[pulumi.com/waitFor]",
        ),
    ],
)
def test_a_wrong_input_is_named(declared: dict[str, Any], token: str, property: str) -> None:
    assert [failure.property for failure in inputs.failures(declared, token)] == [property]


def test_a_right_input_is_not() -> None:
    assert inputs.failures({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": UNKNOWN}}, TOKEN) == []


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("kubernetes:core/v1:ConfigMap", ("v1", "ConfigMap")),
        ("kubernetes:apps/v1:DeploymentPatch", ("apps/v1", "Deployment")),
        ("kubernetes:networking.k8s.io/v1:Ingress", ("networking.k8s.io/v1", "Ingress")),
    ],
)
def test_a_type_says_version_and_kind(token: str, expected: tuple[str, str]) -> None:
    assert inputs.kind_of(token) == expected


def test_an_import_is_found_by_its_id() -> None:
    expected = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "a"}}
    assert inputs.named(TOKEN, "a/b") == expected
    assert inputs.named("kubernetes:core/v1:Node", "n")["metadata"] == {"name": "n"}
