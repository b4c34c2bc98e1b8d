"""Filling a collection from its source: which Job ought to run, and what came of it. Pure: no I/O, no clock."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from homespun.api.fields import SecretKey
from homespun.api.inference import InferenceModelSpec
from homespun.api.vectors import IngestionStatus, VectorCollectionSpec
from operators import children, keys, pods
from operators.children import Manifest
from operators.conditions import Finding
from operators.vectors.plan import Object
from workloads.vectors.config import Field
from workloads.vectors.ingestion import (
    ACCESS_KEY_ID,
    S3,
    SECRET_ACCESS_KEY,
    WRONG_SETTINGS,
    Ingestion,
    Report,
    render,
)

STATE_CLAIM: Final = "data"
"""Where ledger and quarantine of a source are that is in no claim: the platform brings this one."""
LABELS: Final = {"app.kubernetes.io/name": "ingest"}
CONTAINER: Final = "ingest"
DOCUMENT: Final = "ingestion.json"
TRIES: Final = 6


@dataclass(frozen=True)
class Gateways:
    """Their addresses, from a pod."""

    inference: str
    vectors: str


@dataclass(frozen=True)
class Run:
    """A Job as it was read."""

    succeeded: bool = False
    failed: str = ""
    """Why it failed for good, '' if it has not."""
    report: Report | None = None
    """What its newest pod left."""
    waiting: str = ""
    """Why its pod does not start, '' if it does."""


@dataclass(frozen=True)
class Observed:
    """All that a decision about one collection's source rests on."""

    models: Mapping[str, InferenceModelSpec]
    """The InferenceModels that there are, by name."""
    claims: frozenset[str]
    """The claims that there are."""
    answers: bool = False
    """Whether the collection answers."""
    keys: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """By (Secret, key), of the Secrets that exist: whether a key that the source refers to is in it."""
    run: Run | None = None
    """None: there is no Job of this declaration."""


def document(item: Object, observed: Observed, gateways: Gateways) -> Ingestion | None:
    """What the Job is told; None where there is nothing to run, or not yet."""
    spec = item.spec
    if not spec.ingestion or not spec.embedding or _waiting(item, observed):
        return None
    dedupe, s3 = spec.ingestion.dedupe, spec.ingestion.source.s3
    return Ingestion(
        collection=item.name,
        source=spec.ingestion.source.uri,
        state=f"pvc://{_claim(item)}/.ingest/{item.name}",
        id_field=spec.ingestion.source.id_field,
        text_fields=spec.embedding.source_fields,
        model_id=observed.models[spec.embedding.model_ref].model_id,
        inference=gateways.inference,
        vectors=gateways.vectors,
        namespace=spec.ingestion.namespace,
        fields=tuple(Field(one.name, one.type) for one in spec.metadata.fields),
        near_duplicate_percent=dedupe.threshold_percent if dedupe.method == "minhash" else 0,
        endpoint=s3.endpoint if s3 else "",
        region=s3.region if s3 else "",
    )


def job_name(item: Object) -> str:
    """The Job's name tells what it was declared for: another declaration is another Job."""
    parts = [item.spec.ingestion, item.spec.embedding, item.spec.metadata, item.spec.access]
    declared = "\0".join(part.model_dump_json(exclude_none=True) for part in parts if part)
    return f"{item.name}-ingest-{hashlib.sha256(declared.encode()).hexdigest()[:8]}"


def secret_keys(spec: VectorCollectionSpec) -> tuple[SecretKey, ...]:
    """The Secret keys that the source refers to."""
    s3 = spec.ingestion.source.s3 if spec.ingestion else None
    if not s3 or not s3.credentials:
        return ()
    return s3.credentials.access_key_id_secret_ref, s3.credentials.secret_access_key_secret_ref


def names(item: Object) -> list[Manifest]:
    """Kinds and names of its children."""
    return [
        {"kind": "ConfigMap", "metadata": {"name": _document_name(item)}},
        {"kind": "Job", "metadata": {"name": job_name(item)}},
    ]


def status(item: Object, observed: Observed) -> tuple[IngestionStatus | None, list[Finding]]:
    """What to show of it; nothing where the collection is filled by its clients alone."""
    if not item.spec.ingestion:
        return None, []
    run, waiting = observed.run, _waiting(item, observed)
    before, shown = item.status.ingestion, IngestionStatus(job=job_name(item))
    if before and before.job == shown.job and run and (run.succeeded or run.failed):
        shown = before  # its pods may be gone by now
    if run and run.report:
        shown = _counted(shown, run.report)
    if run and run.succeeded:
        return shown.model_copy(update={"state": "Succeeded"}), [Finding("Ingested", "True", "Done")]
    if run and run.failed:
        told = run.report.message if run.report and run.report.message else run.failed
        more = f"{told}; see `kubectl logs job/{shown.job}`; mended, `kubectl delete job {shown.job}` runs it again"
        return shown.model_copy(update={"state": "Failed", "message": told}), [
            Finding("Ingested", "False", "JobFailed", more)
        ]
    if run:
        # A pod that can't begin for want of a key says so in words of its own; one that has begun has its keys already.
        held = (_without_keys(item, observed) or ("Waiting", run.waiting)) if run.waiting else None
        reason, message = held or ("Running", "")
        state = "Pending" if held else "Running"
        return shown.model_copy(update={"state": state}), [Finding("Ingested", "False", reason, message)]
    reason, message = waiting or ("Pending", "its Job is asked for")
    return shown.model_copy(update={"state": "Pending"}), [Finding("Ingested", "False", reason, message)]


def progressing(item: Object, observed: Observed) -> bool:
    """Whether another look, soon, may find it further."""
    run = observed.run
    return bool(item.spec.ingestion) and not (run and (run.succeeded or run.failed))


def config_map(namespace: str, item: Object, ingestion: Ingestion) -> Manifest:
    """What the Job is told."""
    return children.config_map(namespace, _document_name(item), {DOCUMENT: render(ingestion)})


def job(namespace: str, item: Object, observed: Observed, image: str) -> Manifest:
    """The Job: Spark in local mode, in one restricted pod beside the claim of source and state."""
    claim = _claim(item)
    container = {
        "name": CONTAINER,
        "image": image,
        "command": ["python", "-m", "workloads.vectors.ingest", f"--ingestion=/ingestion/{DOCUMENT}"],
        "env": [pods.HOME, *_tokens(item, observed), *_keys(item)],
        "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "3Gi"}},
        "securityContext": pods.CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            pods.TMP_MOUNT,
            {"name": "ingestion", "mountPath": "/ingestion", "readOnly": True},
            {"name": "claim", "mountPath": f"{pods.CLAIMS}/{claim}"},
        ],
    }
    pod = {
        "restartPolicy": "Never",
        "affinity": pods.NEAR_DATA,
        "terminationGracePeriodSeconds": 1,  # one that is killed is gone on from; two must not be at work on one source
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pods.POD_SECURITY,
        "containers": [container],
        "volumes": [
            pods.TMP,
            {"name": "ingestion", "configMap": {"name": _document_name(item)}},
            {"name": "claim", "persistentVolumeClaim": {"claimName": claim}},
        ],
    }
    spec = {
        "backoffLimit": TRIES,
        "podFailurePolicy": pods.fail_on(WRONG_SETTINGS),  # what is wrong with the declaration no other try mends
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    metadata = {"name": job_name(item), "namespace": namespace, "labels": LABELS}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _waiting(item: Object, observed: Observed) -> tuple[str, str] | None:
    """Why nothing can run: reason and message."""
    assert item.spec.ingestion is not None
    assert item.spec.embedding is not None  # so says a rule of the kind
    model, claim = item.spec.embedding.model_ref, _claim(item)
    if model not in observed.models:
        return "ModelNotFound", f"embedding.modelRef: expected an InferenceModel {model} in this namespace, found none"
    if claim not in observed.claims:
        return "ClaimNotFound", f"ingestion.source: expected the claim {claim} in this namespace, found none"
    if lacking := _without_keys(item, observed):
        return lacking
    if not observed.answers:
        return "NotReady", "it begins as soon as the collection is Ready"
    return None


def _without_keys(item: Object, observed: Observed) -> tuple[str, str] | None:
    """That a key of the source is not there: reason and message."""
    missing = keys.missing(secret_keys(item.spec), observed.keys)
    return keys.not_found(missing, observed.keys) if missing else None


def _claim(item: Object) -> str:
    assert item.spec.ingestion is not None
    uri = item.spec.ingestion.source.uri
    return STATE_CLAIM if uri.startswith(S3) else pods.claim_of(uri)


def _keys(item: Object) -> list[dict[str, Any]]:
    """What the bucket is read with."""
    variables = zip((ACCESS_KEY_ID, SECRET_ACCESS_KEY), secret_keys(item.spec), strict=False)  # none: as anybody
    return [_from_secret(name, ref) for name, ref in variables]


def _tokens(item: Object, observed: Observed) -> list[dict[str, Any]]:
    """The first of each that the collection and the model let in."""
    assert item.spec.embedding is not None
    model = observed.models[item.spec.embedding.model_ref]
    found: list[tuple[str, SecretKey]] = [("VECTORS_API_KEY", one.secret_ref) for one in item.spec.access.tokens[:1]]
    found += [("INFERENCE_TOKEN", one.secret_ref) for one in model.access.tokens[:1]]
    return [_from_secret(name, ref) for name, ref in found]


def _from_secret(variable: str, ref: SecretKey) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": ref.name, "key": ref.key}}}


def _counted(shown: IngestionStatus, report: Report) -> IngestionStatus:
    counts = {name: getattr(report, name) for name in ("read", "duplicates", "quarantined", "upserted", "unchanged")}
    return shown.model_copy(update={**counts, "engine": report.engine, "message": report.message})


def _document_name(item: Object) -> str:
    return f"vectors-ingest-{item.name}"
