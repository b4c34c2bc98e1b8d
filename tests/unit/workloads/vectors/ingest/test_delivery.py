"""What is embedded, and in which requests."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workloads.vectors.ingest.test_duplicates import record
from tests.unit.workloads.vectors.test_ingestion import INGESTION
from workloads.vectors.ingest.delivery import Delivered, Job, batches, changed, pack, render


def test_only_what_is_new_or_has_changed_is_embedded() -> None:
    job = Job(INGESTION, Path("/nowhere"), "r1")
    same, other, new = record("a", "one"), record("b", "two"), record("c", "three")
    ledger = {"a": job.digest(same), "b": "of another text"}
    assert changed([same, other, new], ledger, job) == [other, new]
    switched = Job(INGESTION, job.state, "r2")
    assert changed([same], ledger, switched) == [same]


@given(st.lists(st.integers(1, 400)), st.integers(1, 7), st.integers(100, 500))
def test_requests_hold_all_in_order_within_their_limits(lengths: list[int], count: int, size: int) -> None:
    vectors = ["x" * length for length in lengths]
    requests = list(pack(vectors, count, size))
    assert [vector for request in requests for vector in request] == vectors
    for request in requests:
        assert 1 <= len(request) <= count
        assert len(request) == 1 or len(", ".join(request)) <= size


def test_batches_hold_all_in_order() -> None:
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]


def test_a_vector_is_what_the_api_takes() -> None:
    vector = json.loads(render(record("a", "é"), [0.5, 1.0]))
    assert vector == {"id": "a", "values": [0.5, 1.0], "metadata": {"text": "é"}}


def test_what_workers_have_done_adds_up_and_a_failure_shows() -> None:
    total = Delivered(1, 2, 3, 0.5, 0.25) + Delivered(1, failure="away")
    assert total == Delivered(2, 2, 3, 0.5, 0.25, "away")
