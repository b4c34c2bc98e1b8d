"""The order of the data is a function of seed and step, whoever asks."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.training import order

GOLDEN = [(0, 74), (0, 799), (0, 681), (0, 834), (0, 628)]


@given(st.integers(1, 300), st.text(max_size=5))
def test_an_epoch_has_each_sequence_once(total: int, key: str) -> None:
    assert sorted(order.permuted(place, total, key) for place in range(total)) == list(range(total))


def test_batches_run_through_epoch_after_epoch_each_in_an_order_of_its_own() -> None:
    places = [place for step in range(30) for place in order.batch(seed=7, step=step, size=10, total=100)]
    assert Counter(places) == {(epoch, sequence): 1 for epoch in range(3) for sequence in range(100)}
    assert places[:100] != [(0, sequence) for _, sequence in places[100:200]]


def test_another_seed_is_another_order() -> None:
    assert order.batch(seed=0, step=3, size=8, total=1000) != order.batch(seed=1, step=3, size=8, total=1000)


def test_the_order_is_that_of_earlier_versions() -> None:
    """A change here would make every running job see some data twice and some never."""
    assert order.batch(seed=0, step=1, size=5, total=1000) == GOLDEN


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6, 12])
def test_workers_share_a_batch_without_loss_or_double(workers: int) -> None:
    shares = [place for worker in range(workers) for place in order.share(worker, workers, 12)]
    assert shares == list(range(12))


@given(st.integers(1, 64), st.integers(1, 64))
def test_microbatches_are_alike_and_within_the_limit(places: int, at_most: int) -> None:
    parts = list(order.microbatches(range(places), at_most))
    assert [place for part in parts for place in part] == list(range(places))
    assert len({len(part) for part in parts}) == 1
    assert len(parts[0]) <= at_most


def test_fifteen_percent_are_masked_in_each_sequence_but_never_its_frame() -> None:
    for key in map(str, range(50)):
        _, targets = order.masked([101, *range(1000, 1100), 102], key, mask=103, vocabulary=2000)
        hidden = [place for place, target in enumerate(targets) if target != order.NO_TARGET]
        assert len(hidden) == 15
        assert 0 not in hidden
        assert 101 not in hidden


def test_of_the_masked_eight_in_ten_are_hidden_one_is_wrong_and_one_stays() -> None:
    fates: Counter[str] = Counter()
    for key in map(str, range(400)):
        row = [101, *range(1000, 1100), 102]
        inputs, targets = order.masked(row, key, mask=103, vocabulary=2000)
        assert [t if t != order.NO_TARGET else i for i, t in zip(inputs, targets, strict=True)] == row
        for got, target in zip(inputs, targets, strict=True):
            if target != order.NO_TARGET:
                fates["hidden" if got == 103 else "stays" if got == target else "wrong"] += 1
    assert fates["hidden"] / 6000 == pytest.approx(0.8, abs=0.02)
    assert fates["wrong"] / 6000 == pytest.approx(0.1, abs=0.02)


def test_a_mask_is_a_function_of_its_key() -> None:
    row = list(range(64))
    assert order.masked(row, "a", 103, 200) == order.masked(row, "a", 103, 200)
    assert order.masked(row, "a", 103, 200) != order.masked(row, "b", 103, 200)
