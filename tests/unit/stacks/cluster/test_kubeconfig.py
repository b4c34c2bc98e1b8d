"""A cluster that was made anew at the same address is another one."""

import yaml

from stacks.cluster.kubeconfig import identifier


def kubeconfig(authority: str = "QQ==", server: str = "https://10.41.0.10:6443", key: str = "k") -> str:
    cluster = {"server": server, "certificate-authority-data": authority}
    return yaml.safe_dump(
        {
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "me", "user": {"client-key-data": key}}],
        }
    )


def test_another_authority_is_another_cluster() -> None:
    assert identifier(kubeconfig("QQ==")) != identifier(kubeconfig("Qg=="))


def test_new_credentials_and_a_new_address_are_the_same_cluster() -> None:
    assert identifier(kubeconfig()) == identifier(kubeconfig(key="new", server="https://10.41.0.99:6443"))
