"""The learning rate goes up, and down as declared."""

import pytest

from workloads.training.config import Optimizer, Schedule
from workloads.training.schedule import learning_rate

COSINE = Optimizer(learning_rate=1.0, warmup_steps=10, final_fraction=0.1)
CONSTANT = Optimizer(learning_rate=1.0, warmup_steps=10, schedule=Schedule.CONSTANT)


@pytest.mark.parametrize("optimizer", [COSINE, CONSTANT])
def test_the_warm_up_is_a_line_that_ends_at_the_full_rate(optimizer: Optimizer) -> None:
    assert [learning_rate(step, 100, optimizer) for step in range(10)] == pytest.approx([n / 10 for n in range(1, 11)])


def test_the_cosine_starts_at_the_full_rate_and_ends_at_its_fraction() -> None:
    assert learning_rate(10, 111, COSINE) == pytest.approx(1.0)
    assert learning_rate(60, 111, COSINE) == pytest.approx(0.55)
    assert learning_rate(110, 111, COSINE) == pytest.approx(0.1)


def test_the_cosine_never_rises() -> None:
    rates = [learning_rate(step, 111, COSINE) for step in range(10, 111)]
    assert rates == sorted(rates, reverse=True)


def test_constant_stays() -> None:
    assert {learning_rate(step, 100, CONSTANT) for step in range(10, 100)} == {1.0}


def test_a_run_of_one_step_has_a_rate() -> None:
    assert learning_rate(0, 1, Optimizer(learning_rate=1.0)) == 1.0
