"""The platform alone, on a cluster that was there before: as an ordinary user, who has a kubeconfig and no root.

The cluster is the tests' lab, after its own platform has gone. It gets what a cluster of another's would have: a
default storage class with a volume. Nothing is put back: the next tests make the cluster anew.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from homespun import places
from homespun.hosts.layout import VOLUMES
from tests.e2e import lab as labs
from tests.e2e.lab import Lab
from tests.waiting import until
from tools import environments, jobset
from tools.debian import tree
from tools.obtain import cached_path
from tools.table import named

NAMESPACE = "given"
FOLDER = Path("/var/tmp/homespun-e2e")
"""As in stacks/Pulumi.e2e-given.yaml; anybody may look into it."""
USER = 12345
SIZES = {"models": "5Gi", "vectors": "10Gi", "data": "20Gi"}
"""Of the claims, by default: each finds the volume that fits it best."""
REGISTRY_CONFIG = """\
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: "127.0.0.1:5000"}
"""


@pytest.fixture(scope="module")
def existing(lab: Lab) -> Iterator[Lab]:
    """The cluster without our platform, and with a storage class."""
    labs.pulumi("destroy", "--yes", "--skip-preview", stack=labs.NAME)
    lab.ssh(f"mkdir -p {' '.join(map(volume, SIZES))}")
    node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [labs.NODE]}
    volumes = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"theirs-{name}"},
            "spec": {
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "theirs",
                "local": {"path": volume(name)},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node]}]}},
            },
        }
        for name, size in SIZES.items()
    ]
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    theirs = [
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
         "metadata": {"name": "theirs", "annotations": annotations},
         "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"},
        *volumes,
    ]  # fmt: skip
    lab.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": theirs}))
    shutil.rmtree(FOLDER, ignore_errors=True)  # an earlier run's
    FOLDER.mkdir()
    shutil.copy2(lab.kubeconfig, FOLDER / "kubeconfig")  # with its mode
    yield lab
    shutil.rmtree(FOLDER)


@pytest.fixture(scope="module")
def ordinary(existing: Lab) -> dict[str, str]:
    """A user's environment: the clone, a cache with what `make tools` obtained, all of it theirs; no state yet."""
    (FOLDER / "clone").mkdir()
    subprocess.run(["cp", "-r", *map(str, _checkout()), str(FOLDER / "clone")], check=True)
    for path in (
        *(environments.cached_path(name) for name in ("stacks", "minilm")),
        *(cached_path(named(name)).parent for name in ("kubectl", "pulumi")),
    ):
        target = FOLDER / "cache" / path.relative_to(places.cache())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
    manifests = jobset.kept()
    shutil.copytree(manifests, FOLDER / "cache" / manifests.relative_to(places.cache()))
    subprocess.run(["chown", "-R", f"{USER}:{USER}", FOLDER], check=True)
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(FOLDER),
        "USER": "ordinary",
        "HOMESPUN_CACHE": str(FOLDER / "cache"),
        "HOMESPUN_DOWNLOADS": "no",
        "PYTHONPATH": str(FOLDER / "clone"),
        "YES": "1",
    }


def volume(claim: str) -> str:
    """The folder behind a claim."""
    return f"{VOLUMES}/given-{claim}"


def _checkout() -> list[Path]:
    return [path for path in labs.REPOSITORY.iterdir() if path.name not in (".git", ".ci")]


def cli(user: dict[str, str], command: str) -> "subprocess.CompletedProcess[str]":
    python = str(FOLDER / "cache" / environments.cached_path("stacks").relative_to(places.cache()) / "bin/python")
    words = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", python, "-m", "cli"]
    return subprocess.run([*words, command, "--stack", "e2e-given"], cwd=FOLDER / "clone", env=user,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)  # fmt: skip


def test_what_users_have_outlives_the_platform(existing: Lab) -> None:
    assert existing.kubectl("-n", "ml", "get", "im", "minilm", "-o", "name")
    assert existing.kubectl("-n", "ml", "get", "vc", "papers", "-o", "name")
    assert existing.kubectl("-n", "ml", "get", "pvc", "models", "-o", "jsonpath={.status.phase}") == "Bound"
    assert "homespun-system" not in existing.kubectl("get", "namespaces", "-o", "name")


def test_an_ordinary_user_gets_an_answer(ordinary: dict[str, str]) -> None:
    ran = cli(ordinary, "up")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    took, answer, *_ = ran.stdout.splitlines()
    print(f"\n{took}", end=" ")
    assert took.startswith("tools 2/2 · platform ")
    assert "Attention Is All You Need" in answer
    assert (FOLDER / ".local/state/homespun/pulumi/.pulumi").is_dir()
    assert "platform unchanged · models" in cli(ordinary, "up").stdout


def test_another_state_folder_neither_takes_it_over_nor_takes_it_away(ordinary: dict[str, str]) -> None:
    stranger = {**ordinary, "HOMESPUN_STATE": str(FOLDER / "stranger")}
    assert "namespace homespun-system: expected none, found one that" in cli(stranger, "up").stderr
    assert "e2e-given: expected a record of it" in cli(stranger, "down").stderr


def test_down_takes_what_is_ours_and_leaves_their_data(existing: Lab, ordinary: dict[str, str]) -> None:
    ran = cli(ordinary, "down")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "gone   homespun-system, 2 objects" in ran.stdout
    assert "homespun-system" not in existing.kubectl("get", "namespaces", "-o", "name")
    assert existing.kubectl("-n", NAMESPACE, "get", "pvc", "models", "-o", "jsonpath={.status.phase}") == "Bound"
    until("the pods' end", lambda: not existing.kubectl("-n", NAMESPACE, "get", "pods", "-o", "name").strip())
    assert existing.ssh(f"ls {volume('models')}").split() == ["minilm"]
    assert existing.ssh(f"ls {volume('data')}").split() == ["papers"]
    kinds = "all,configmaps,secrets,serviceaccounts,roles,rolebindings"
    left = existing.kubectl("-n", NAMESPACE, "get", kinds, "-o", "name").split()
    assert left == ["configmap/kube-root-ca.crt", "serviceaccount/default"]
    assert "homespun" not in existing.kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")


def test_a_namespace_of_anothers_is_not_taken(existing: Lab, ordinary: dict[str, str]) -> None:
    label = "app.kubernetes.io/part-of"
    existing.kubectl("label", "namespace", NAMESPACE, f"{label}-")
    assert "namespace given: expected none, found one of another's" in cli(ordinary, "up").stderr
    existing.kubectl("label", "namespace", NAMESPACE, f"{label}=homespun")


def test_a_cluster_that_does_not_answer_is_told_so(ordinary: dict[str, str]) -> None:
    good = (FOLDER / "kubeconfig").read_text()
    (FOLDER / "kubeconfig").write_text(good.replace(":6443", ":1"))
    ran = cli(ordinary, "up")
    (FOLDER / "kubeconfig").write_text(good)
    assert ran.returncode == 1
    assert f"{FOLDER}/kubeconfig, context kubernetes-admin@e2e: expected a cluster that answers" in ran.stderr


def test_images_come_by_a_registry(existing: Lab) -> None:
    command = tree("registry", ("docker-registry",), labs.quiet) / "usr/bin/docker-registry"
    with command.open("rb") as file:
        existing.machine.connection.send(
            partial(shutil.copyfileobj, file), "cat >/usr/local/bin/registry && chmod +x /usr/local/bin/registry"
        )
    existing.ssh(f"printf '{REGISTRY_CONFIG}' >/etc/registry.yml; mkdir -p /var/lib/registry;"
                 " systemd-run --unit=registry /usr/local/bin/registry serve /etc/registry.yml")  # fmt: skip
    tunnel = existing.machine.connection.command("-N", "-L", "localhost:5000:localhost:5000")
    with subprocess.Popen(tunnel, stdin=subprocess.DEVNULL) as process:
        try:
            said = labs.up("e2e-registry")
        finally:
            process.terminate()
    assert "Attention Is All You Need" in said
    images = existing.kubectl("get", "pods", "-A", "-o", "jsonpath={..image}").split()
    assert [name for name in images if name.startswith("localhost:5000/me/homespun-triton:")]
    labs.down("e2e-registry")
