"""Which token comes next: greedy, or drawn by temperature, top-k and top-p; keys and values of the past are kept."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workloads.training.models.gpt2 import GPT2, Cache


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen. The filters apply in this order, as in transformers."""

    temperature: float = 0.0
    """Logits are divided by it; 0 is greedy."""
    top_k: int = 0
    """Only the k likeliest; 0: all."""
    top_p: float = 1.0
    """Only the fewest that together have this probability (Holtzman et al. 2020), at least one."""


def arrange(model: GPT2) -> None:
    """Lay the weights out as one token's products read them fastest, a CPU's at least: input by input.

    They keep their values and shapes (out, in). MKL multiplies one row by such a matrix a third faster; batches, as in
    training, don't mind.
    """
    matrices = [model.wte, *(module for module in model.modules() if isinstance(module, nn.Linear))]  # wte: the head
    for matrix in matrices:
        matrix.weight.data = matrix.weight.data.t().contiguous().t()


def generate(model: GPT2, prompt: list[int], count: int, sampling: Sampling, seed: int = 0) -> Iterator[int]:
    """At most `count` tokens that go on from the prompt, one by one; fewer where the model's context ends."""
    dice = torch.Generator().manual_seed(seed)
    cache, given = Cache(model, batch=1), torch.tensor([prompt])  # (1, T)
    for _ in range(min(count, model.shape.context - len(prompt))):
        with torch.inference_mode():
            logits = model.head(model.hidden(given, cache)[0, -1])  # (V): of the last token alone
        token = choose(logits, sampling, dice)
        yield token
        given = torch.tensor([[token]])


def choose(logits: Tensor, sampling: Sampling, dice: torch.Generator) -> int:
    """One token of logits (V)."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    return int(torch.multinomial(filtered(logits, sampling).softmax(-1), 1, generator=dice))


def filtered(logits: Tensor, sampling: Sampling) -> Tensor:
    """Logits (V) by temperature, with -inf where top-k and top-p allow nothing."""
    logits = logits / sampling.temperature
    if 0 < sampling.top_k < logits.numel():
        least = logits.topk(sampling.top_k).values[-1]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if sampling.top_p < 1:
        ascending, places = logits.sort()
        beyond = ascending.softmax(-1).cumsum(-1) <= 1 - sampling.top_p
        beyond[-1] = False
        logits = logits.masked_fill(beyond.scatter(0, places, beyond), -torch.inf)
    return logits
