"""yaml/v2: the objects of some YAML as resources of their own."""

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.pulumi import Project

YAML = """
apiVersion: example.test/v1
kind: Gadget
metadata: {name: one}
spec: {size: 1}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: from-yaml, namespace: default}
  data: {a: b}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.test}
spec:
  group: example.test
  scope: Cluster
  names: {plural: gadgets, singular: gadget, kind: Gadget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
GROUP = """
    components = pulumi.ResourceOptions(providers=[provider])
    group = k8s.yaml.v2.ConfigGroup("group", files=["manifests/*.yaml"], opts=components)
    k8s.yaml.v2.ConfigGroup("objects", opts=components, objs=[{"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "from-objs"}, "stringData": {"password": pulumi.Output.secret("hunter22hunter22")}}])
    k8s.core.v1.ConfigMap("after", metadata={"name": "after"}, opts=pulumi.ResourceOptions(
        provider=provider, depends_on=[group]))
"""


def test_a_group_makes_its_objects_definitions_first_and_takes_them_away(cluster: Cluster, project: Project) -> None:
    project.write(YAML, "manifests/gadgets.yaml")
    project.on_cluster(cluster.kubeconfig, GROUP)
    assert "9 to create" in project.preview()
    project.up()
    assert cluster.kubectl("get", "gadget", "one", "-o", "jsonpath={.spec.size}") == "1"
    state = project.state()
    assert state["group:default/from-yaml"]["id"] == "default/from-yaml"
    assert state["group:one"]["parent"].endswith("::group")
    assert "hunter22hunter22" not in project.state_files()
    assert "9 unchanged" in project.up()
    project.destroy()
    assert "from-yaml" not in cluster.kubectl("get", "configmap")


def test_yaml_that_is_none_is_refused_with_its_place(cluster: Cluster, project: Project) -> None:
    project.write("kind: ConfigMap\n", "manifests/broken.yaml")
    project.on_cluster(cluster.kubeconfig, GROUP)
    ran = project.preview(fails=True)
    assert "manifests/broken.yaml: expected objects with apiVersion, kind and metadata.name" in ran
    assert "Traceback" not in ran
