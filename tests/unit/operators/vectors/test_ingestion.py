"""A source is run once for each declaration, and its counts are told."""

from dataclasses import replace
from typing import Any

from homespun.api.inference import InferenceModelSpec
from operators.vectors import ingestion
from operators.vectors.ingestion import Gateways, Observed, Run
from operators.vectors.plan import Object
from tests.policy import violations
from tests.unit.operators.vectors.worlds import collection
from workloads.vectors.ingestion import Report

MODEL = InferenceModelSpec.model_validate(
    {"modelId": "org/m", "task": "feature-extraction", "source": {"uri": "pvc://models/m"},
     "access": {"tokens": [{"secretRef": {"name": "hf"}}]}}
)  # fmt: skip
GATEWAYS = Gateways("http://inference", "http://vectors")
SEEN = Observed({"minilm": MODEL}, frozenset({"data"}), answers=True)
REPORT = Report("Done", read=5, duplicates=1, quarantined=1, upserted=3, engine="spark")


def filled(**spec: Any) -> Object:
    declared = {
        "embedding": {"modelRef": "minilm", "sourceFields": ["title"]},
        "ingestion": {"source": {"uri": "pvc://data/papers/*.jsonl"}, "dedupe": {"method": "minhash"}},
        **spec,
    }
    return collection(**declared)


KEYS = {
    "accessKeyIdSecretRef": {"name": "bucket", "key": "id"},
    "secretAccessKeySecretRef": {"name": "bucket", "key": "secret"},
}


def from_bucket(**s3: Any) -> Object:
    source = {"uri": "s3://library/papers/*.jsonl", "s3": {"endpoint": "http://nas:9000", "region": "home", **s3}}
    return filled(ingestion={"source": source})


def finding(item: Object, observed: Observed) -> tuple[str, str, str]:
    _, (found,) = ingestion.status(item, observed)
    return found.status, found.reason, found.message


def test_it_is_told_its_source_and_both_gateways() -> None:
    told = ingestion.document(filled(), SEEN, GATEWAYS)
    assert told is not None
    assert (told.source, told.state) == ("pvc://data/papers/*.jsonl", "pvc://data/.ingest/papers")
    assert (told.model_id, told.inference, told.vectors) == ("org/m", "http://inference", "http://vectors")
    assert (told.text_fields, told.near_duplicate_percent) == (("title",), 80)


def test_it_waits_for_the_collection_the_model_and_the_claim_and_says_so() -> None:
    assert finding(filled(), replace(SEEN, answers=False))[1] == "NotReady"
    assert finding(filled(), replace(SEEN, models={}))[1] == "ModelNotFound"
    assert finding(filled(), replace(SEEN, claims=frozenset()))[1] == "ClaimNotFound"
    assert ingestion.document(filled(), replace(SEEN, models={}), GATEWAYS) is None


def test_a_bucket_is_named_with_its_server_and_the_state_is_in_the_platforms_claim() -> None:
    told = ingestion.document(from_bucket(), SEEN, GATEWAYS)
    assert told is not None
    assert (told.source, told.endpoint, told.region) == ("s3://library/papers/*.jsonl", "http://nas:9000", "home")
    assert told.state == "pvc://data/.ingest/papers"


def test_a_key_that_is_not_there_is_named_before_the_job_and_while_it_waits_for_it() -> None:
    item = from_bucket(credentials=KEYS)
    half = replace(SEEN, keys={("bucket", "id"): True, ("bucket", "secret"): False})
    assert ingestion.document(item, half, GATEWAYS) is None
    refused = "its pod: CreateContainerConfigError: couldn't find key secret in Secret ml/bucket"
    for observed in (half, replace(half, run=Run(waiting=refused))):
        _, reason, message = finding(item, observed)
        assert reason == "SecretNotFound"
        assert "expected key secret of Secret bucket in this namespace, found none" in message
        assert message.endswith("; add the key secret to Secret bucket")
    assert "generic bucket --from-file=id=FILE --from-file=secret=FILE`" in finding(item, SEEN)[2]
    assert ingestion.document(item, replace(half, keys={("bucket", k): True for k in ("id", "secret")}), GATEWAYS)


def test_a_run_that_has_begun_has_its_keys_whatever_becomes_of_the_secret() -> None:
    shown, (found,) = ingestion.status(from_bucket(credentials=KEYS), replace(SEEN, run=Run()))
    assert shown is not None
    assert (shown.state, found.reason) == ("Running", "Running")


def test_a_buckets_keys_come_by_reference_and_nobodys_are_none() -> None:
    def variables(item: Object) -> dict[str, Any]:
        (container,) = ingestion.job("ml", item, SEEN, "local/ingest:1")["spec"]["template"]["spec"]["containers"]
        return {entry["name"]: entry.get("valueFrom") for entry in container["env"]}

    with_keys = variables(from_bucket(credentials=KEYS))
    assert with_keys["AWS_ACCESS_KEY_ID"] == {"secretKeyRef": {"name": "bucket", "key": "id"}}
    assert with_keys["AWS_SECRET_ACCESS_KEY"] == {"secretKeyRef": {"name": "bucket", "key": "secret"}}
    assert not [name for name in variables(from_bucket()) if name.startswith("AWS")]


def test_another_declaration_is_another_job() -> None:
    other = filled(embedding={"modelRef": "minilm", "sourceFields": ["summary"]})
    assert ingestion.job_name(filled()) == ingestion.job_name(filled(index={"search": {"ef": 99}}))
    assert ingestion.job_name(filled()) != ingestion.job_name(other)


def test_its_counts_are_shown() -> None:
    shown, (found,) = ingestion.status(filled(), replace(SEEN, run=Run(succeeded=True, report=REPORT)))
    assert shown is not None
    assert (shown.state, shown.read, shown.duplicates, shown.quarantined, shown.upserted) == ("Succeeded", 5, 1, 1, 3)
    assert (found.type, found.status) == ("Ingested", "True")


def test_a_failure_is_told_in_the_programs_words_with_how_to_run_it_again() -> None:
    refused = Report("Refused", "vectors.dimension: expected 384, got 8")
    status, reason, message = finding(filled(), replace(SEEN, run=Run(failed="exit 64", report=refused)))
    assert (status, reason) == ("False", "JobFailed")
    assert message.startswith("vectors.dimension: expected 384, got 8; see `kubectl logs job/papers-ingest-")
    assert "kubectl delete job" in message


def test_a_pod_that_can_not_start_is_no_run() -> None:
    stuck = replace(SEEN, run=Run(waiting="its pod can't be placed: 0/1 nodes: Insufficient memory"))
    assert finding(filled(), stuck) == ("False", "Waiting", "its pod can't be placed: 0/1 nodes: Insufficient memory")
    shown, _ = ingestion.status(filled(), stuck)
    assert shown is not None
    assert shown.state == "Pending"


def test_a_collection_without_a_source_says_nothing_of_one() -> None:
    assert ingestion.status(collection(), SEEN) == (None, [])


def test_the_pod_keeps_to_the_policy_and_gets_tokens_by_reference_only() -> None:
    item = filled(access={"tokens": [{"secretRef": {"name": "me", "key": "k"}}]})
    job = ingestion.job("ml", item, SEEN, "local/ingest:1")
    assert [line for line in violations(job) if "liveness" not in line] == []  # it ends by itself
    variables = {entry["name"]: entry for entry in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert variables["VECTORS_API_KEY"]["valueFrom"] == {"secretKeyRef": {"name": "me", "key": "k"}}
    assert variables["INFERENCE_TOKEN"]["valueFrom"] == {"secretKeyRef": {"name": "hf", "key": "token"}}
