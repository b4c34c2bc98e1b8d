"""From `up` to `destroy`: an object is made, left alone, changed, replaced, read back, imported and taken away."""

import json
from typing import Any

import pytest

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.pulumi import Project

CONFIG_MAP = """
    map = k8s.core.v1.ConfigMap("map", metadata={"name": "life"}, data={"color": config.get("color") or "red"},
                                opts=options)
    pulumi.export("name", map.metadata["name"])
"""
DEPLOYMENT = """
    labels = {"app": config.get("app") or "web"}
    k8s.apps.v1.Deployment("web", metadata={"name": "life", "annotations": {"pulumi.com/skipAwait": "true"}}, spec={
        "replicas": config.get_int("replicas") or 1, "selector": {"match_labels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "example.test/web:1",
            "resources": {"limits": {"cpu": "1000m"}}}]}}}, opts=options)
"""


def live(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", kind, name, "-o", "json"))
    return found


def test_up_creates_and_a_second_up_changes_nothing(cluster: Cluster, project: Project) -> None:
    project.on_cluster(cluster.kubeconfig, CONFIG_MAP + DEPLOYMENT)
    project.up()
    before = live(cluster, "configmap", "life")
    assert before["data"] == {"color": "red"}
    assert project.state()["map"]["id"] == "default/life"
    version = live(cluster, "deployment", "life")["metadata"]["generation"]
    assert "4 unchanged" in project.run("up", "--yes")
    assert live(cluster, "configmap", "life") == before
    assert live(cluster, "deployment", "life")["metadata"]["generation"] == version
    project.destroy()
    with pytest.raises(AssertionError, match="NotFound"):
        cluster.kubectl("get", "configmap", "life")


def test_changed_data_replaces_a_config_map_unless_it_is_declared_mutable(cluster: Cluster, project: Project) -> None:
    project.on_cluster(cluster.kubeconfig, CONFIG_MAP)
    project.up()
    first = live(cluster, "configmap", "life")["metadata"]["uid"]
    project.configure(color="blue")
    assert "1 replaced" in project.up()
    second = live(cluster, "configmap", "life")
    assert second["metadata"]["uid"] != first
    project.on_cluster(cluster.kubeconfig, CONFIG_MAP, enable_config_map_mutable=True)
    project.configure(color="green")
    ran = project.up("--diff")
    assert '~ color: "blue" => "green"' in ran
    third = live(cluster, "configmap", "life")
    assert third["metadata"]["uid"] == second["metadata"]["uid"]
    assert third["data"] == {"color": "green"}
    project.destroy()


def test_a_field_that_the_server_calls_immutable_replaces_the_object(cluster: Cluster, project: Project) -> None:
    project.on_cluster(cluster.kubeconfig, DEPLOYMENT)
    project.up()
    first = live(cluster, "deployment", "life")["metadata"]["uid"]
    project.configure(replicas="2")
    assert "1 updated" in project.up()
    assert live(cluster, "deployment", "life")["metadata"]["uid"] == first
    project.configure(app="other")
    assert "1 to replace" in project.preview()
    project.up()
    assert live(cluster, "deployment", "life")["metadata"]["uid"] != first
    project.destroy()


def test_refresh_shows_what_was_changed_behind_its_back_and_nothing_else(cluster: Cluster, project: Project) -> None:
    project.on_cluster(cluster.kubeconfig, CONFIG_MAP + DEPLOYMENT, enable_patch_force=True)
    project.up()
    assert "4 unchanged" in project.refresh()  # "1000m" and the server's defaults are no drift
    cluster.kubectl("patch", "configmap", "life", "-p", '{"data": {"color": "black"}}')
    cluster.kubectl("delete", "deployment", "life")
    drift = project.run("preview", "--refresh", "--diff")
    assert '"black"' in drift
    refreshed = project.refresh()
    assert "~ 1 updated" in refreshed
    assert "- 1 deleted" in refreshed
    healed = project.up()
    assert "+ 1 created" in healed
    assert live(cluster, "configmap", "life")["data"] == {"color": "red"}
    project.destroy()


def test_fields_that_another_owns_are_not_taken_unasked_and_the_owner_is_named(
    cluster: Cluster, project: Project
) -> None:
    project.on_cluster(cluster.kubeconfig, CONFIG_MAP, enable_config_map_mutable=True)
    project.up()
    cluster.kubectl("patch", "configmap", "life", "--field-manager=somebody", "-p", '{"data": {"color": "black"}}')
    project.configure(color="blue")
    ran = project.preview(fails=True)
    assert 'conflict with "somebody"' in ran
    assert ".data.color" in ran
    assert "patchForce" in ran
    forced = CONFIG_MAP.replace('"name": "life"', '"name": "life", "annotations": {"pulumi.com/patchForce": "true"}')
    project.on_cluster(cluster.kubeconfig, forced, enable_config_map_mutable=True)
    project.up()
    assert live(cluster, "configmap", "life")["data"] == {"color": "blue"}
    project.destroy()


def test_an_object_that_exists_is_taken_over_only_when_asked(cluster: Cluster, project: Project) -> None:
    cluster.kubectl("create", "configmap", "life")
    project.on_cluster(cluster.kubeconfig, CONFIG_MAP)
    refused = project.up(fails=True)
    assert "ConfigMap default/life: exists already" in refused
    assert "upsert_existing_objects" in refused
    project.on_cluster(cluster.kubeconfig, CONFIG_MAP, upsert_existing_objects=True)
    project.up()
    assert live(cluster, "configmap", "life")["data"] == {"color": "red"}
    project.destroy()


def test_an_imported_object_is_unchanged_by_a_program_that_declares_what_it_has(
    cluster: Cluster, project: Project
) -> None:
    cluster.kubectl("create", "configmap", "life", "--from-literal=color=red")
    project.on_cluster(cluster.kubeconfig, "")
    project.up()
    provider = project.state()["cluster"]["urn"]
    project.run(
        "import", "kubernetes:core/v1:ConfigMap", "map", "default/life", "--provider", f"k={provider}",
        "--generate-code=false", "--protect=false", "--yes",
    )  # fmt: skip
    before = live(cluster, "configmap", "life")
    project.on_cluster(cluster.kubeconfig, CONFIG_MAP)
    assert "3 unchanged" in project.up()
    assert live(cluster, "configmap", "life") == before
    project.destroy()
    assert "life" not in cluster.kubectl("get", "configmap")


def test_import_as_a_resource_option_takes_the_object_as_it_is(cluster: Cluster, project: Project) -> None:
    cluster.kubectl("create", "configmap", "life", "--from-literal=color=red")
    importing = CONFIG_MAP.replace(
        "opts=options", 'opts=pulumi.ResourceOptions(provider=provider, import_="default/life")'
    )
    project.on_cluster(cluster.kubeconfig, importing)
    assert "1 imported" in project.up()
    project.on_cluster(cluster.kubeconfig, CONFIG_MAP)
    assert "3 unchanged" in project.up()
    project.destroy()


def test_get_reads_an_object_that_somebody_else_owns(cluster: Cluster, project: Project) -> None:
    project.on_cluster(
        cluster.kubeconfig,
        """
        service = k8s.core.v1.Service.get("api", "default/kubernetes", opts=options)
        pulumi.export("type", service.spec["type"])
        """,
    )
    project.up()
    assert project.outputs()["type"] == "ClusterIP"
    project.destroy()
    assert live(cluster, "service", "kubernetes")


def test_a_patch_adds_fields_and_gives_them_back(cluster: Cluster, project: Project) -> None:
    cluster.kubectl("create", "configmap", "life", "--from-literal=color=red")
    project.on_cluster(
        cluster.kubeconfig,
        'k8s.core.v1.ConfigMapPatch("patch", metadata={"name": "life"}, data={"size": "3"}, opts=options)',
    )
    project.up()
    assert live(cluster, "configmap", "life")["data"] == {"color": "red", "size": "3"}
    assert "3 unchanged" in project.up()
    project.destroy()
    assert live(cluster, "configmap", "life")["data"] == {"color": "red"}
    cluster.kubectl("delete", "configmap", "life")


def test_an_object_without_a_name_gets_one_and_keeps_it(cluster: Cluster, project: Project) -> None:
    program = CONFIG_MAP.replace('metadata={"name": "life"}', "metadata={}")
    project.on_cluster(cluster.kubeconfig, program)
    project.up()
    name = project.outputs()["name"]
    assert name.startswith("map-")
    assert "3 unchanged" in project.up()
    project.configure(color="blue")  # replaced: the new one comes before the old one goes
    project.up()
    assert project.outputs()["name"] != name
    assert name not in cluster.kubectl("get", "configmap")
    project.destroy()


def test_retained_and_protected_objects_stay(cluster: Cluster, project: Project) -> None:
    project.on_cluster(
        cluster.kubeconfig,
        """
        kept = pulumi.ResourceOptions(provider=provider, retain_on_delete=True)
        guarded = pulumi.ResourceOptions(provider=provider, protect=True)
        k8s.core.v1.ConfigMap("kept", metadata={"name": "kept"}, opts=kept)
        if config.get_bool("guard"):
            k8s.core.v1.ConfigMap("guarded", metadata={"name": "guarded"}, opts=guarded)
        """,
    )
    project.configure(guard="true")
    project.up()
    assert "protect" in project.destroy(fails=True)
    assert live(cluster, "configmap", "guarded")
    project.run("state", "unprotect", "--all", "--yes")
    project.destroy()
    assert live(cluster, "configmap", "kept")
    with pytest.raises(AssertionError, match="NotFound"):
        cluster.kubectl("get", "configmap", "guarded")
    cluster.kubectl("delete", "configmap", "kept")
