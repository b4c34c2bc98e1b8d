"""The page says what is, why it is not ready, and what to do."""

from typing import Any

import pytest

from workloads.pages.cloud import gibibytes, machine, model


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
