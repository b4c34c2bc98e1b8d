"""A cluster that was made anew at the same address is another one."""

import yaml

from stacks.cluster.kubeconfig import identifier


def kubeconfig(authority: str | None = "QQ==", server: str = "https://10.41.0.10:6443", key: str = "k") -> str:
    cluster = {"server": server, **({"certificate-authority-data": authority} if authority else {})}
    return yaml.safe_dump(
        {
            "current-context": "admin@lab",
            "contexts": [
                {"name": "other", "context": {"cluster": "other", "user": "me"}},
                {"name": "admin@lab", "context": {"cluster": "lab", "user": "me"}},
            ],
            "clusters": [
                {"name": "other", "cluster": {"server": "https://elsewhere"}},
                {"name": "lab", "cluster": cluster},
            ],
            "users": [{"name": "me", "user": {"client-key-data": key}}],
        }
    )


def test_another_authority_is_another_cluster() -> None:
    assert identifier(kubeconfig("QQ==")) != identifier(kubeconfig("Qg=="))


def test_new_credentials_and_a_new_address_are_the_same_cluster() -> None:
    assert identifier(kubeconfig()) == identifier(kubeconfig(key="new", server="https://10.41.0.99:6443"))


def test_without_an_authority_the_server_tells() -> None:
    assert identifier(kubeconfig(None)) != identifier(kubeconfig(None, "https://10.41.0.99:6443"))
