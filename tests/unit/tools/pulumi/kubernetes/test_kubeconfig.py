"""A kubeconfig's connection; what can't be used is refused by name, and nothing of it is quoted."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.pulumi.kubernetes.errors import KubeconfigError
from tools.pulumi.kubernetes.kubeconfig import active_cluster, connection, read


def kubeconfig(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> str:
    return yaml.safe_dump(
        {
            "current-context": "home",
            "contexts": [
                {"name": "home", "context": {"cluster": "home", "user": "me", "namespace": "mine"}},
                {"name": "other", "context": {"cluster": "other"}},
            ],
            "clusters": [
                {"name": "home", "cluster": {"server": "https://home:6443/", **(cluster or {})}},
                {"name": "other", "cluster": {"server": "https://other:6443"}},
            ],
            "users": [{"name": "me", "user": user or {}}],
        }
    )


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_the_current_context_is_taken(tmp_path: Path) -> None:
    found = connection(kubeconfig(user={"token": "t"}), tmp_path)
    assert (found.server, found.namespace, found.token) == ("https://home:6443", "mine", "t")


def test_context_cluster_and_namespace_can_be_chosen(tmp_path: Path) -> None:
    assert connection(kubeconfig(), tmp_path, context="other").server == "https://other:6443"
    assert connection(kubeconfig(), tmp_path, context="other").namespace == "default"
    assert connection(kubeconfig(), tmp_path, cluster="other").server == "https://other:6443"
    assert connection(kubeconfig(), tmp_path, namespace="there").namespace == "there"


def test_certificates_come_as_data_or_from_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("KEY")
    (tmp_path / "token").write_text("t\n")
    user = {"client-certificate-data": encoded("CERTIFICATE"), "client-key": "key.pem", "tokenFile": "token"}
    found = connection(kubeconfig({"certificate-authority-data": encoded("CA")}, user), tmp_path)
    assert (found.authority, found.certificate, found.key, found.token) == (b"CA", b"CERTIFICATE", b"KEY", "t")


def test_a_repr_holds_no_secrets(tmp_path: Path) -> None:
    user = {"token": "hunter22", "client-key-data": encoded("PRIVATE")}
    text = repr(connection(kubeconfig(user=user), tmp_path))
    assert "hunter22" not in text
    assert "PRIVATE" not in text


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({}, {"exec": {"command": "aws"}}, "user me: exec is not supported"),
        ({}, {"username": "me", "password": "hunter22"}, "user me: username is not supported"),
        ({"proxy-url": "http://p"}, {}, "cluster home: proxy-url is not supported"),
        ({"server": ""}, {}, "cluster home: expected a server"),
        ({"certificate-authority-data": "not base64!"}, {}, "certificate-authority-data: expected base64"),
        ({}, {"client-key": "missing.pem"}, "client-key: .*missing.pem: expected a readable file"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    with pytest.raises(KubeconfigError, match=message) as caught:
        connection(kubeconfig(cluster, user), tmp_path)
    assert "hunter22" not in str(caught.value)


def test_a_context_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="expected a context 'lab', found home, other"):
        connection(kubeconfig(), tmp_path, context="lab")


def test_text_that_is_no_yaml_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="expected YAML, found none at line 3") as caught:
        connection("users:\n- hunter22: [\n", tmp_path)
    assert "hunter22" not in str(caught.value)


def test_it_is_given_as_text_as_a_path_or_by_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(kubeconfig())
    assert read(kubeconfig(), {})[0] == kubeconfig()
    assert read(str(path), {}) == (kubeconfig(), tmp_path)
    assert read("", {"KUBECONFIG": str(path)}) == (kubeconfig(), tmp_path)
    with pytest.raises(KubeconfigError, match="missing: expected a readable file, found: No such file"):
        read(str(tmp_path / "missing"), {})


def test_the_active_cluster_is_what_tells_clusters_apart() -> None:
    assert active_cluster(kubeconfig(user={"token": "a"})) == active_cluster(kubeconfig(user={"token": "b"}))
    assert active_cluster(kubeconfig(), context="other") != active_cluster(kubeconfig())
