"""A secret stands in no file of the state, in no output and in no message."""

import base64

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.pulumi import Project

PASSWORD = "correct horse battery"
PROGRAM = """
    password = config.require_secret("password")
    k8s.core.v1.Secret("s", metadata={"name": "s"}, string_data={"password": password}, opts=options)
    k8s.core.v1.Secret("plain", metadata={"name": "plain"}, string_data={"token": "hunter22hunter22"}, opts=options)
    k8s.apps.v1.Deployment("d", metadata={"name": "d", "annotations": {"pulumi.com/skipAwait": "true"}}, spec={
        "selector": {"match_labels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
            "containers": [{"name": "c", "image": "example.test/c:1", "env": [{"name": "P", "value": password}]}]}}},
        opts=options)
    if config.get_bool("broken"):
        k8s.core.v1.ConfigMap("m", metadata={"name": "m", "labels": {"password": password}}, opts=options)
"""


def test_secrets_reach_the_cluster_and_nothing_else(cluster: Cluster, project: Project) -> None:
    project.on_cluster(cluster.kubeconfig, PROGRAM, enable_secret_mutable=True)
    project.run("config", "set", "--secret", "password", PASSWORD)
    shown = [project.preview("--diff"), project.up("--diff"), project.up("--diff")]
    encoded = cluster.kubectl("get", "secret", "s", "-o", "jsonpath={.data.password}")
    assert base64.b64decode(encoded).decode() == PASSWORD
    assert PASSWORD in cluster.kubectl("get", "deployment", "d", "-o", "yaml")

    cluster.kubectl("patch", "secret", "s", "-p", '{"stringData": {"password": "another secret entirely"}}')
    shown += [project.run("preview", "--refresh", "--diff"), project.refresh()]
    project.configure(broken="true")
    refused = project.preview(fails=True)
    assert "ConfigMap default/m: " in refused
    assert "[secret]" in refused
    kept = project.state_files() + "".join(one.output for one in [*shown, refused])
    for text in (PASSWORD, encoded, "hunter22hunter22", "another secret entirely"):
        assert text not in kept
        assert base64.b64encode(text.encode()).decode() not in kept
    project.configure(broken="false")
    project.destroy()


def test_the_kubeconfig_of_a_provider_is_no_secret_unless_it_is_given_as_one(
    cluster: Cluster, project: Project
) -> None:
    project.write("""
        import pulumi, pulumi_kubernetes as k8s
        provider = k8s.Provider("cluster", kubeconfig=pulumi.Config().require_secret("kubeconfig"))
        k8s.core.v1.ConfigMap("m", metadata={"name": "m"}, opts=pulumi.ResourceOptions(provider=provider))
    """)
    text = cluster.kubeconfig.read_text()
    project.run("config", "set", "--secret", "kubeconfig", text)
    project.up()
    assert cluster.kubectl("get", "configmap", "m")
    assert "client-key-data" not in project.state_files()
    project.destroy()
