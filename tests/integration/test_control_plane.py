from tests.integration.parts.kubernetes import Cluster
from tools.table import KUBERNETES_VERSION


def test_the_api_server_of_the_table_answers_its_administrator(cluster: Cluster) -> None:
    assert f'"gitVersion": "v{KUBERNETES_VERSION}"' in cluster.kubectl("get", "--raw", "/version")


def test_an_object_that_is_applied_is_there(cluster: Cluster) -> None:
    cluster.kubectl("create", "configmap", "hello", "--from-literal=a=b")
    assert cluster.kubectl("get", "configmap", "hello", "-o", "jsonpath={.data.a}") == "b"
    cluster.kubectl("delete", "configmap", "hello")


def test_a_user_without_rights_gets_none(cluster: Cluster) -> None:
    nobody = cluster.identity("nobody")
    answer = cluster.kubectl("auth", "can-i", "--list", f"--kubeconfig={nobody}")
    assert "secrets" not in answer
