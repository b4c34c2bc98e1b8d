"""The page says what is, why it is not ready, and what to do."""

from typing import Any

import pytest

from workloads.pages.cloud import PATHS, PRICE, Collection, cloud, collection, gibibytes, job, machine, model, polyline


def node(**conditions: str) -> dict[str, Any]:
    listed = [{"type": kind, "status": status, "message": f"{kind} says"} for kind, status in conditions.items()]
    capacity = {"cpu": "2", "memory": "25165824Ki"}
    return {"metadata": {"name": "m0"}, "status": {"conditions": listed, "capacity": capacity}}


def document(*conditions: tuple[str, str, str]) -> dict[str, Any]:
    listed = [{"type": kind, "status": status, "reason": "Why", "message": why} for kind, status, why in conditions]
    return {
        "metadata": {"name": "minilm"},
        "spec": {"modelId": "org/minilm", "task": "feature-extraction"},
        "status": {"state": "Loaded", "conditions": listed, "revision": {"active": {"digest": "0123456789abcdef"}}},
    }


def test_a_ready_machine_has_no_trouble() -> None:
    seen = machine(node(Ready="True", DiskPressure="False"))
    assert (seen.ready, seen.trouble, seen.memory_gib) == (True, "", 24.0)


def test_a_machine_that_is_not_ready_says_why_and_what_to_do() -> None:
    seen = machine(node(Ready="Unknown"))
    assert not seen.ready
    assert seen.trouble == "Ready says; see `kubectl describe node m0`"


def test_a_full_disk_is_told_though_the_machine_is_ready() -> None:
    assert "df -h" in machine(node(Ready="True", DiskPressure="True")).trouble


def test_a_machine_says_since_when_it_is_there_what_it_costs_and_how_it_reaches_others() -> None:
    rented = node(Ready="True")
    rented["metadata"] |= {
        "creationTimestamp": "2026-11-29T11:50:12Z",
        "labels": {PRICE: "0.3271"},
        "annotations": {PATHS: '[{"to": "m0", "by": "relay", "ms": 5.5, "idle": 12}]'},
    }
    seen = machine(rented)
    assert (seen.since, seen.price) == ("2026-11-29 11:50", "0.3271")
    assert seen.paths == ("m0 relayed in 5.5 ms, handshake 12 s before",)
    own = machine(node(Ready="True"))
    assert (own.price, own.paths) == ("", ())


def test_what_a_machine_that_is_away_said_of_its_paths_is_not_shown() -> None:
    away = node(Ready="Unknown")
    away["metadata"]["annotations"] = {PATHS: '[{"to": "m0", "by": "direct", "ms": 1, "idle": 1}]'}
    assert machine(away).paths == ()


def test_a_ready_model_has_no_trouble() -> None:
    seen = model(document(("Accepted", "True", ""), ("UpToDate", "True", ""), ("Ready", "True", "answered")))
    assert (seen.ready, seen.trouble, seen.revision) == (True, "", "0123456789ab")


def test_a_ready_model_whose_new_revision_failed_says_so() -> None:
    seen = model(document(("UpToDate", "False", "model.onnx is missing"), ("Ready", "True", "answered")))
    assert (seen.ready, seen.trouble) == (True, "UpToDate: model.onnx is missing")


def test_a_model_that_no_operator_has_seen_says_where_to_look() -> None:
    assert "kubectl" in model({"metadata": {"name": "x"}, "spec": {}}).trouble


@pytest.mark.parametrize(("quantity", "gib"), [("2Gi", 2.0), ("512Mi", 0.5), ("1073741824", 1.0), ("odd", 0.0)])
def test_memory_is_read_in_its_unit(quantity: str, gib: float) -> None:
    assert gibibytes(quantity) == gib


def collection_of(**status: Any) -> Collection:
    """The page's view of a collection that is filled by the model `minilm`."""
    spec = {
        "vectors": {"dimension": 384, "metric": "cosine"},
        "metadata": {"fields": [{"name": "year", "type": "int"}]},
        "embedding": {"modelRef": "minilm", "sourceFields": ["title"]},
    }
    return collection({"metadata": {"name": "papers"}, "spec": spec, "status": status}, {"minilm": "org/m"})


def test_a_collection_says_what_is_in_it_and_what_embeds_questions() -> None:
    counts = {"read": 5, "duplicates": 1, "quarantined": 1, "upserted": 3, "unchanged": 0}
    ready = [{"type": "Ready", "status": "True"}]
    seen = collection_of(rows=3, conditions=ready, ingestion=counts)
    assert (seen.ready, seen.rows, seen.model_id, seen.trouble) == (True, 3, "org/m", "")
    assert seen.about == "384 numbers · cosine · year"
    assert seen.filled == "5 read · 1 duplicates · 1 quarantined · 3 upserted · 0 unchanged"


def test_a_collection_that_is_not_filled_says_why() -> None:
    conditions = [
        {"type": "Ready", "status": "True"},
        {"type": "Ingested", "status": "False", "reason": "ModelNotFound", "message": "expected a model"},
    ]
    assert collection_of(conditions=conditions).trouble == "Ingested: expected a model"


def test_a_collection_whose_model_is_not_there_is_not_searched_by_text() -> None:
    seen = cloud([], [document()], [{"metadata": {"name": "x"}, "spec": {"embedding": {"modelRef": "other"}}}])
    assert seen.collections[0].model_id == ""


def test_a_job_that_runs_says_how_far_it_is() -> None:
    status = {
        "state": "Running", "step": 50, "steps": 200, "loss": "3.4100", "tokensPerSecond": 900,
        "conditions": [{"type": "Running", "status": "True"}],
        "curve": [{"step": 1, "loss": "10.8"}, {"step": 50, "loss": "3.41"}],
    }  # fmt: skip
    spec = {"model": {"family": "gpt2", "size": "124M"}, "workers": {"count": 2}}
    seen = job({"metadata": {"name": "tale"}, "spec": spec, "status": status})
    assert (seen.what, seen.percent, seen.good, seen.trouble) == ("gpt2 124M on 2 workers", 25, True, "")
    assert seen.done == "step 50 of 200 · loss 3.4100 · 900 tokens/s"
    assert (seen.curve, seen.highest, seen.lowest) == ("0.0,0.0 600.0,120.0", "10.80", "3.41")


def test_a_job_that_failed_says_why() -> None:
    conditions = [{"type": "Succeeded", "status": "False", "reason": "InvalidJob", "message": "data: expected texts"}]
    spec = {"program": {"image": "mine", "command": ["x"]}}
    seen = job({"metadata": {"name": "tale"}, "spec": spec, "status": {"state": "Failed", "conditions": conditions}})
    assert (seen.what, seen.good, seen.trouble) == ("mine on 1 worker", False, "Succeeded: data: expected texts")


def test_a_curve_of_one_point_is_none_and_a_flat_one_stays_in_its_box() -> None:
    assert polyline([(1, 2.0)]) == ""
    assert polyline([(1, 2.0), (2, 2.0)]) == "0.0,0.0 600.0,0.0"
