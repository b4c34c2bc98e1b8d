"""An API server that is away, and a kubeconfig that leads nowhere."""

import json
from pathlib import Path

import pytest

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.pulumi import Project

MAPS = """
    for number in range(3):
        k8s.core.v1.ConfigMap(f"m{number}", metadata={"name": f"m{number}"}, opts=options,
                              data={"color": config.get("color") or "red"})
"""


@pytest.fixture
def away(cluster: Cluster, tmp_path: Path) -> Path:
    """The cluster's kubeconfig, with a port on which nothing listens."""
    document = json.loads(cluster.kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "away").write_text(json.dumps(document))
    return tmp_path / "away"


def test_one_clear_error_and_nothing_is_touched(cluster: Cluster, project: Project, away: Path) -> None:
    project.on_cluster(cluster.kubeconfig, MAPS)
    project.up()
    project.on_cluster(away, MAPS)
    ran = project.run("up", "--yes", fails=True)
    assert (
        ran.output.count("https://127.0.0.1:1: expected an API server that answers, found: ") <= 2
    )  # line and summary
    assert "Is the cluster up?" in ran
    project.on_cluster(cluster.kubeconfig, MAPS)
    assert "5 unchanged" in project.up()
    project.destroy()


def test_updates_are_skipped_and_deletions_taken_for_done_where_that_is_asked_for(
    cluster: Cluster, project: Project, away: Path
) -> None:
    project.on_cluster(cluster.kubeconfig, MAPS, enable_config_map_mutable=True)
    project.up()
    project.on_cluster(away, MAPS, enable_config_map_mutable=True, skip_update_unreachable=True)
    project.configure(color="blue")
    assert "not updated" in project.up()
    assert cluster.kubectl("get", "configmap", "m0", "-o", "jsonpath={.data.color}") == "red"
    project.on_cluster(away, MAPS, enable_config_map_mutable=True, delete_unreachable=True)
    project.up("--target", project.state()["cluster"]["urn"])
    assert "taken for deleted" in project.destroy()
    assert cluster.kubectl("get", "configmap", "m0")
    cluster.kubectl("delete", "configmap", "m0", "m1", "m2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found: No such file"),
        ("{}", "expected a context '', found none"),
        ("users: [", "kubeconfig: expected YAML"),
    ],
    ids=["missing", "empty", "broken"],
)
def test_a_bad_kubeconfig_is_named(project: Project, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "kubeconfig"
    if text:
        path.write_text(text)
    project.on_cluster(path, MAPS)
    assert message in project.run("up", "--yes", fails=True)


def test_another_clusters_identifier_replaces_the_provider_and_another_address_does_not(
    cluster: Cluster, project: Project, away: Path
) -> None:
    project.on_cluster(cluster.kubeconfig, MAPS)
    project.up()
    project.on_cluster(away, "")
    assert "to replace" not in project.preview()
    project.on_cluster(cluster.kubeconfig, MAPS)
    project.write((project.folder / "__main__.py").read_text().replace('"test"', '"other"'))
    assert "4 to replace" in project.preview()
    project.destroy()
