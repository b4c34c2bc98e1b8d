"""The learning rate of a step. Pure; standard library only."""

import math

from workloads.training.config import Optimizer, Schedule


def learning_rate(step: int, steps: int, optimizer: Optimizer) -> float:
    """Of step `step` (from 0) of `steps`: a line up, then constant or half a cosine down (Loshchilov and Hutter 2017).

    The warm-up's last step has the full rate, the cosine's last one the final fraction of it.
    """
    if step < optimizer.warmup_steps:
        return optimizer.learning_rate * (step + 1) / optimizer.warmup_steps
    if optimizer.schedule is Schedule.CONSTANT:
        return optimizer.learning_rate
    done = (step - optimizer.warmup_steps) / max(1, steps - 1 - optimizer.warmup_steps)
    above = (1 + math.cos(math.pi * done)) / 2  # 1 → 0
    return optimizer.learning_rate * (optimizer.final_fraction + (1 - optimizer.final_fraction) * above)
