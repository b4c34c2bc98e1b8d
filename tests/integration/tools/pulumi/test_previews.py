"""A preview asks the server: what it would refuse is refused before anything is touched."""

import pytest

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.pulumi import Project

DEFINITION_AND_OBJECT = """
    definition = k8s.apiextensions.v1.CustomResourceDefinition("widgets",
        metadata={"name": "widgets.example.test"}, spec={
        "group": "example.test", "scope": "Cluster",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"open_apiv3_schema": {"type": "object",
            "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}]}, opts=options)
    k8s.apiextensions.CustomResource("one", api_version="example.test/v1", kind="Widget", metadata={"name": "one"},
        spec={config.get("field") or "size": 3}, opts=pulumi.ResourceOptions(provider=provider, depends_on=definition))
"""


def test_a_definition_and_its_object_are_previewed_and_made_together(cluster: Cluster, project: Project) -> None:
    project.on_cluster(cluster.kubeconfig, DEFINITION_AND_OBJECT)
    assert "4 to create" in project.preview()
    with pytest.raises(AssertionError, match="NotFound"):
        cluster.kubectl("get", "crd", "widgets.example.test")
    project.up()
    assert cluster.kubectl("get", "widget", "one", "-o", "jsonpath={.spec.size}") == "3"
    assert "4 unchanged" in project.up()  # a kind without namespaces, known only now
    project.configure(field="siez")
    assert ".spec.siez: field not declared in schema" in project.preview(fails=True)
    project.destroy()


def test_a_misspelt_field_is_refused_and_nothing_is_made(cluster: Cluster, project: Project) -> None:
    project.on_cluster(
        cluster.kubeconfig,
        """
        k8s.core.v1.ConfigMap("before", metadata={"name": "before"}, opts=options)
        k8s.apiextensions.CustomResource("typo", api_version="apps/v1", kind="Deployment", metadata={"name": "typo"},
                                         spec={"replica": 3}, opts=options)
        """,
    )
    assert ".spec.replica: field not declared in schema" in project.run("up", "--yes", fails=True)
    with pytest.raises(AssertionError, match="NotFound"):
        cluster.kubectl("get", "configmap", "before")


def test_what_is_not_known_yet_is_left_open_in_the_preview(cluster: Cluster, project: Project) -> None:
    project.on_cluster(
        cluster.kubeconfig,
        """
        service = k8s.core.v1.Service("s", metadata={"name": "s"}, spec={"ports": [{"port": 80}]}, opts=options)
        k8s.core.v1.ConfigMap("m", metadata={"name": "m", "namespace": "later"}, opts=pulumi.ResourceOptions(
            provider=provider, depends_on=[k8s.core.v1.Namespace("later", metadata={"name": "later"}, opts=options)]),
            data={"ip": service.spec.cluster_ip})
        pulumi.export("ip", service.spec.cluster_ip)
        """,
    )
    assert "ip: [unknown]" in project.preview()
    project.up()
    assert (
        cluster.kubectl("get", "configmap", "m", "-n", "later", "-o", "jsonpath={.data.ip}") == project.outputs()["ip"]
    )
    project.destroy()


def test_a_provider_whose_kubeconfig_is_not_known_yet_lets_a_preview_pass(cluster: Cluster, project: Project) -> None:
    project.write("""
        import pulumi, pulumi_kubernetes as k8s
        from later import Later

        config = Later("config", text=open(pulumi.Config().require("kubeconfig")).read())
        provider = k8s.Provider("cluster", kubeconfig=config.text)
        k8s.core.v1.ConfigMap("m", metadata={"name": "m"}, opts=pulumi.ResourceOptions(provider=provider))
    """)
    project.write(
        """
        from pulumi import Input, Output
        from pulumi.dynamic import CreateResult, Resource, ResourceProvider

        class LaterProvider(ResourceProvider):
            def create(self, props):
                return CreateResult("later", {"text": props["given"]})

        class Later(Resource):
            text: Output[str]

            def __init__(self, name: str, text: str) -> None:
                super().__init__(LaterProvider(), name, {"given": text, "text": None})
        """,
        "later.py",
    )
    project.configure(kubeconfig=str(cluster.kubeconfig))
    assert "4 to create" in project.preview()
    project.up()
    assert cluster.kubectl("get", "configmap", "m")
    project.destroy()


def test_names_that_cannot_be_are_told_of_without_the_server(cluster: Cluster, project: Project) -> None:
    project.on_cluster(
        cluster.kubeconfig,
        """
        k8s.core.v1.ConfigMap("m", opts=options, metadata={"name": "two words", "generate_name": "x-",
                              "annotations": {"pulumi.com/waitFor": "condition=Ready"}})
        """,
    )
    ran = project.preview(fails=True)
    assert "expected a name without blanks, got 'two words'" in ran
    assert "generateName" in ran
    assert "pulumi.com/waitFor" in ran
