"""The API server itself refuses an object that makes no sense, and says what to do."""

import subprocess
from typing import Any

import pytest
import yaml

from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE

GOOD: dict[str, Any] = {
    "apiVersion": "homespun.dev/v1alpha1",
    "kind": "InferenceModel",
    "metadata": {"name": "admission"},
    "spec": {"modelId": "org/admission", "task": "feature-extraction", "source": {"uri": "pvc://models/x"}},
}


COLLECTION: dict[str, Any] = {
    "apiVersion": "homespun.dev/v1alpha1",
    "kind": "VectorCollection",
    "metadata": {"name": "admission"},
    "spec": {"vectors": {"dimension": 384}},
}


S3_URI = "s3://library/papers/*.jsonl"


def _from(source: dict[str, Any]) -> dict[str, Any]:
    """The fields of a collection that is filled from a source."""
    embedding = {"modelRef": "minilm", "sourceFields": ["title"]}
    return {"embedding": embedding, "ingestion": {"source": source}}


def refusal(cluster: Cluster, good: dict[str, Any] = GOOD, **spec: Any) -> str:
    """What kubectl says of an object with these fields; '' if the API server would take it."""
    document = {**good, "spec": {**good["spec"], **spec}}
    ran = subprocess.run(
        [*cluster.kubectl_command, "-n", NAMESPACE, "apply", "--dry-run=server", "-f", "-"],
        input=yaml.safe_dump(document),
        capture_output=True,
        text=True,
    )
    return "" if ran.returncode == 0 else ran.stderr


@pytest.mark.usefixtures("namespace")
class TestAnInferenceModel:
    def test_with_three_fields_is_taken(self, cluster: Cluster) -> None:
        assert refusal(cluster) == ""

    def test_gets_its_defaults_from_the_api_server(self, cluster: Cluster) -> None:
        document = yaml.safe_dump(GOOD)
        got = cluster.kubectl("-n", NAMESPACE, "apply", "--dry-run=server", "-o", "yaml", "-f", "-", input=document)
        assert yaml.safe_load(got)["spec"]["batching"] == {"maxBatchSize": 32, "maxQueueDelay": "2ms"}

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ({"task": "make-coffee"}, 'supported values: "feature-extraction", "sentence-similarity"'),
            ({"source": {"uri": "http://somewhere"}}, "spec.source.uri"),
            ({"source": {"uri": "hf://org/name"}}, "expected the commit (40 hex digits)"),
            ({"source": {"uri": "hf://org/name", "revision": "main"}}, "expected the commit (40 hex digits)"),
            ({"source": {"uri": "pvc://models/x", "revision": "abc"}}, "expected nothing or sha256:"),
            (
                {"source": {"uri": "pvc://models/x", "tokenSecretRef": {"name": "hub"}}},
                "only an hf:// source takes a token",
            ),
            ({"batching": {"maxBatchSize": 0}}, "greater than or equal to 1"),
            ({"batching": {"maxQueueDelay": "soon"}}, "spec.batching.maxQueueDelay"),
            ({"access": {"tokens": [{"secretRef": {}}]}}, "spec.access.tokens[0].secretRef.name: Required value"),
            ({"modelId": None}, "spec.modelId: Required value"),
            ({"maxBatch": 3}, 'unknown field "spec.maxBatch"'),
        ],
        ids=lambda value: "" if isinstance(value, str) else str(value),
    )
    def test_that_makes_no_sense_is_refused(self, cluster: Cluster, spec: dict[str, Any], told: str) -> None:
        assert told in refusal(cluster, **spec)


@pytest.mark.usefixtures("namespace")
class TestAVectorCollection:
    def test_with_a_dimension_is_taken_and_gets_its_defaults(self, cluster: Cluster) -> None:
        document = yaml.safe_dump(COLLECTION)
        got = cluster.kubectl("-n", NAMESPACE, "apply", "--dry-run=server", "-o", "yaml", "-f", "-", input=document)
        spec = yaml.safe_load(got)["spec"]
        assert spec["vectors"] == {"dimension": 384, "metric": "cosine"}
        assert spec["index"]["params"] == {"M": 16, "efConstruction": 200}

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ({"vectors": {"dimension": 0}}, "spec.vectors.dimension"),
            ({"vectors": {"dimension": 384, "metric": "manhattan"}}, 'supported values: "cosine"'),
            ({"vectors": {}}, "spec.vectors.dimension: Required value"),
            ({"metadata": {"fields": [{"name": "year", "type": "date"}]}}, "spec.metadata.fields[0].type"),
            ({"metadata": {"fields": [{"name": "a.b", "type": "int"}]}}, "spec.metadata.fields[0].name"),
            ({"metadata": {"fields": [{"name": "a", "type": "int"}] * 2}}, "Duplicate value"),
            ({"engine": {"address": "milvus"}}, "spec.engine.address"),
            ({"index": {"params": {"M": 1}}}, "spec.index.params.M"),
            ({"dimension": 3}, 'unknown field "spec.dimension"'),
            (_from({"uri": "s3://library"}), "spec.ingestion.source.uri"),
            (_from({"uri": "s3://library/a//b"}), "spec.ingestion.source.uri"),
            (_from({"uri": "s3://library/a\nb"}), "spec.ingestion.source.uri"),
            (_from({"uri": "http://library/a"}), "spec.ingestion.source.uri"),
            (_from({"uri": "pvc://data/a", "s3": {}}), "source.s3: only an s3:// source is reached by it"),
            (_from({"uri": S3_URI, "s3": {"endpoint": "nas:9000"}}), "spec.ingestion.source.s3.endpoint"),
            (_from({"uri": S3_URI, "s3": {"endpoint": "http://me:secret@nas"}}), "spec.ingestion.source.s3.endpoint"),
            (
                _from({"uri": S3_URI, "s3": {"credentials": {"accessKeyIdSecretRef": {"name": "library"}}}}),
                "credentials.secretAccessKeySecretRef: Required value",
            ),
            (
                _from({"uri": S3_URI, "s3": {"credentials": {"accessKeyIdSecretRef": {"name": "library"},
                                                             "secretAccessKeySecretRef": {"name": "library"}}}}),
                "source.s3.credentials: expected two keys, got one twice",
            ),
        ],
        ids=lambda value: "" if isinstance(value, str) else str(value)[:120],
    )  # fmt: skip
    def test_that_makes_no_sense_is_refused(self, cluster: Cluster, spec: dict[str, Any], told: str) -> None:
        assert told in refusal(cluster, COLLECTION, **spec)

    def test_from_a_bucket_is_taken_whatever_its_keys_hold(self, cluster: Cluster) -> None:
        keys = {
            "accessKeyIdSecretRef": {"name": "library", "key": "id"},
            "secretAccessKeySecretRef": {"name": "library", "key": "secret"},
        }
        s3 = {"endpoint": "http://nas.lan:9000", "region": "garage", "credentials": keys}
        assert (
            refusal(cluster, COLLECTION, **_from({"uri": "s3://my.library/two words/ä [1]/**/*.jsonl", "s3": s3})) == ""
        )
        assert refusal(cluster, COLLECTION, **_from({"uri": "s3://library/*.jsonl"})) == ""

    def test_whose_name_can_be_no_index_is_refused(self, cluster: Cluster) -> None:
        named = {**COLLECTION, "metadata": {"name": "my.papers"}}
        assert "metadata.name: expected at most 45" in refusal(cluster, named)

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ({"vectors": {"dimension": 768}}, "vectors is built into the collection"),
            ({"metadata": {"fields": [{"name": "year", "type": "int"}]}}, "metadata.fields is built into"),
            ({"index": {"params": {"M": 32}}}, "index.params is built into"),
            ({"engine": {"address": "http://elsewhere:19530"}}, "engine is built into"),
        ],
        ids=lambda value: "" if isinstance(value, str) else str(value),
    )
    def test_that_is_built_is_not_changed(self, cluster: Cluster, spec: dict[str, Any], told: str) -> None:
        cluster.kubectl("-n", NAMESPACE, "apply", "-f", "-", input=yaml.safe_dump(COLLECTION))
        try:
            assert told in refusal(cluster, COLLECTION, **spec)
            assert refusal(cluster, COLLECTION, index={"search": {"ef": 100}}) == ""
        finally:
            cluster.kubectl("-n", NAMESPACE, "delete", "vc", "admission")


JOB: dict[str, Any] = {
    "apiVersion": "homespun.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "admission"},
    "spec": {
        "model": {"family": "gpt2", "size": "124M"},
        "data": {"uri": "pvc://data/texts", "seqLen": 128},
        "objective": {"steps": 10, "globalBatchTokens": 1024},
    },
}
SHAPE = {"layers": 1, "heads": 1, "width": 8, "context": 8, "vocabulary": 2}


@pytest.mark.usefixtures("namespace")
class TestATrainingJob:
    def test_gets_its_defaults_from_the_api_server(self, cluster: Cluster) -> None:
        document = yaml.safe_dump(JOB)
        got = cluster.kubectl("-n", NAMESPACE, "apply", "--dry-run=server", "-o", "yaml", "-f", "-", input=document)
        spec = yaml.safe_load(got)["spec"]
        assert (spec["optimizer"]["lr"], spec["workers"]["count"], spec["parallelism"]) == (
            "0.0006", 1, {"strategy": "auto"},
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ({"objective": {"steps": 0, "globalBatchTokens": 1024}}, "spec.objective.steps"),
            ({"objective": {"steps": 1, "globalBatchTokens": 1000}}, "expected a multiple of data.seqLen"),
            ({"model": {"family": "gpt2", "shape": SHAPE}}, "data.seqLen: expected at most model.shape.context"),
            ({"parallelism": {"mesh": {"dp": 3}}, "workers": {"count": 2}}, "expected it to multiply to workers.count"),
            ({"model": {"family": "gpt2"}}, "model: expected size, shape or init, got none"),
            ({"model": {"family": "gpt2", "size": "124M", "shape": SHAPE}}, "model: expected size or shape, got both"),
            ({"model": {"family": "llama", "size": "124M"}}, "spec.model.family"),
            ({"program": {"image": "x:1", "command": ["x"]}}, "expected either model or program"),
            ({"data": None}, "expected data and objective beside model"),
            ({"data": {"uri": "/texts"}}, "spec.data.uri"),
            ({"optimizer": {"warmupSteps": 10}}, "optimizer.warmupSteps: expected fewer than objective.steps"),
            ({"optimizer": {"lr": "fast"}}, "spec.optimizer.lr"),
            ({"deadline": "soon"}, "spec.deadline"),
            ({"workers": {"count": 0}}, "spec.workers.count"),
        ],
        ids=lambda value: "" if isinstance(value, str) else str(value)[:40],
    )
    def test_that_makes_no_sense_is_refused(self, cluster: Cluster, spec: dict[str, Any], told: str) -> None:
        assert told in refusal(cluster, JOB, **spec)

    def test_whose_name_can_be_no_host_is_refused(self, cluster: Cluster) -> None:
        named = {**JOB, "metadata": {"name": "1st.job"}}
        assert "metadata.name: expected at most 40" in refusal(cluster, named)
