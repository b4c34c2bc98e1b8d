"""The children of a `TrainingJob`: pure builders.

A JobSet (https://jobset.sigs.k8s.io) keeps the workers together: all start, and if one dies all start again from the
newest checkpoint. Worker 0 is a host by the name `<job>-w-0-0.<job>`, by which the others find it.
"""

from typing import Any, Final

from homespun.hosts import share
from operators import children, pods
from operators.children import Manifest
from operators.training.plan import Object, claims_of, output_uri, path_of
from workloads.training.config import INVALID_JOB_EXIT

JOBSET_VERSION: Final = "jobset.x-k8s.io/v1alpha2"
JOBSET_LABEL: Final = "jobset.sigs.k8s.io/jobset-name"
WORKERS: Final = "w"
CONTAINER: Final = "worker"
PORT: Final = 29500
"""Of torch's store on worker 0."""
DOCUMENT: Final = "job.json"
MAX_RESTARTS: Final = 20
"""Workers that die more often than this die of the job."""


def config_map(namespace: str, item: Object, document: str) -> Manifest:
    """What the trainer is told."""
    return children.config_map(namespace, _document_name(item.name), {DOCUMENT: document})


def job_set(namespace: str, item: Object, image: str, suspended: bool) -> Manifest:
    """The workers. `image` holds the trainer."""
    count = item.spec.workers.count
    job = {
        "completionMode": "Indexed",
        "parallelism": count,
        "completions": count,
        "backoffLimit": 0,  # a worker alone can't go on: all start again
        # What is wrong with the job itself no other start mends.
        "podFailurePolicy": pods.fail_on(INVALID_JOB_EXIT),
        "template": {"spec": _pod(item, image)},
    }
    spec = {
        "suspend": suspended,
        "network": {"enableDNSHostnames": True, "subdomain": item.name, "publishNotReadyAddresses": True},
        "failurePolicy": {
            "maxRestarts": MAX_RESTARTS,
            "rules": [{"name": "invalid", "action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}],
        },
        "replicatedJobs": [{"name": WORKERS, "replicas": 1, "template": {"spec": job}}],
    }
    metadata = {"name": item.name, "namespace": namespace}
    return {"apiVersion": JOBSET_VERSION, "kind": "JobSet", "metadata": metadata, "spec": spec}


def _pod(item: Object, image: str) -> dict[str, Any]:
    spec, claims = item.spec, claims_of(item.spec, item.name)
    document = spec.program is None
    volumes: list[dict[str, Any]] = [
        pods.TMP,
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
        *({"name": pods.volume(claim), "persistentVolumeClaim": {"claimName": claim}} for claim in claims),
    ]
    mounts: list[dict[str, Any]] = [
        pods.TMP_MOUNT,
        {"name": "shm", "mountPath": "/dev/shm"},
        *({"name": pods.volume(claim), "mountPath": f"{pods.CLAIMS}/{claim}"} for claim in claims),
    ]
    if document:
        volumes.append({"name": "job", "configMap": {"name": _document_name(item.name)}})
        mounts.append({"name": "job", "mountPath": "/job", "readOnly": True})
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pods.POD_SECURITY,
        "affinity": pods.FIRST_SITE,
        # Each on a machine of its own, where there are so many of ours that see the claim.
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": share.SEES,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {JOBSET_LABEL: item.name}},
            }
        ],
        "terminationGracePeriodSeconds": 5,  # what a worker has not saved is computed again
        "containers": [
            {
                "name": CONTAINER,
                "image": (spec.program and spec.program.image) or image,
                "command": list(spec.program.command) if spec.program else _trainer(spec.workers.count),
                "env": _environment(item),
                "resources": {
                    "requests": {"cpu": spec.workers.cpu, "memory": spec.workers.memory},
                    "limits": {"memory": spec.workers.memory},
                },
                "securityContext": pods.CONTAINER_SECURITY,
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def _trainer(workers: int) -> list[str]:
    return [
        "python", "-m", "workloads.training", "launch",
        f"--nnodes={workers}",
        "--node-rank=$(RANK)",
        "--nproc-per-node=1",
        "--master-addr=$(MASTER_ADDR)",
        f"--master-port={PORT}",
        "--max-restarts=0",  # the JobSet's part
        "--job", f"/job/{DOCUMENT}",
    ]  # fmt: skip


def _environment(item: Object) -> list[dict[str, Any]]:
    """As torch.distributed reads it (https://docs.pytorch.org/docs/stable/distributed.html), and what gloo needs."""
    rank = {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-completion-index']"}}
    values = {
        "MASTER_ADDR": f"{item.name}-{WORKERS}-0-0.{item.name}",
        "MASTER_PORT": str(PORT),
        "WORLD_SIZE": str(item.spec.workers.count),
        "DATA": path_of(item.spec.data.uri) if item.spec.data else "",
        "CHECKPOINTS": path_of(output_uri(item.spec, item.name)),
        "GLOO_SOCKET_IFNAME": "eth0",
        "OMP_NUM_THREADS": str(max(1, _whole(item.spec.workers.cpu))),
    }
    return [
        pods.HOME,
        {"name": "RANK", "valueFrom": rank},
        *({"name": name, "value": value} for name, value in values.items()),
    ]


def _whole(cpu: str) -> int:
    return int(cpu[:-1]) // 1000 if cpu.endswith("m") else int(cpu)


def _document_name(job: str) -> str:
    return f"training-{job}"
