"""The objects of some YAML, and what their resources are called."""

from pathlib import Path

import pytest

from tools.pulumi.kubernetes.errors import KubernetesError
from tools.pulumi.kubernetes.manifests import child_name, declared_objects, token

ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
TWO = ONE.replace("one", "two")


def names(given: dict[str, object]) -> list[str]:
    return [obj["metadata"]["name"] for obj in declared_objects(given)]


def test_they_come_from_text_from_files_and_from_objects(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ONE)
    (tmp_path / "b.yaml").write_text(f"---\n{TWO}---\n")
    three = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "three"}}
    assert names({"files": [f"{tmp_path}/*.yaml"], "objs": [three]}) == ["one", "two", "three"]
    assert names({"yaml": f"{ONE}---\n{TWO}"}) == ["one", "two"]
    assert names({"file": f"{tmp_path}/a.yaml"}) == ["one"]


def test_a_list_is_its_items() -> None:
    text = "kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: one}}\n"
    assert names({"yaml": text}) == ["one"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"files": ["/nowhere/*.yaml"]}, "/nowhere/.*: expected files of YAML, found none"),
        ({"yaml": "kind: ConfigMap"}, "yaml: expected objects with apiVersion, kind and metadata.name"),
        ({"yaml": "a: ["}, "yaml: "),
    ],
)
def test_what_is_no_manifest_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(KubernetesError, match=message):
        declared_objects(given)


def test_resources_are_typed_and_named_as_the_official_plugin_does() -> None:
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "ml"}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "m0"}}
    assert (token(deployment), child_name("group", deployment)) == ("kubernetes:apps/v1:Deployment", "group:ml/web")
    assert (token(node), child_name("group", node)) == ("kubernetes:core/v1:Node", "group:m0")
