"""Our GPT-2 and BERT against those of transformers on this CPU: tokens a second, forward, and forward and backward.

`make bench-training`. Equal shapes (124M; BERT-base) and random weights, fp32, one thread, no dropout; both in turns,
and the best of several rounds counts, since what else runs here can only slow one down. The ratio is ours over theirs.
Ours decodes as `generate` does, with its weights arranged after they were loaded; theirs as it comes.
"""

import copy
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from workloads.training.decoding import Sampling, arrange, generate
from workloads.training.models import bert, gpt2

ROUNDS: Final = 7
BATCH: Final = (2, 256)
"""Sequences, and tokens in each."""
PROMPT, DECODED = 16, 32
"""Tokens given, and tokens that are decoded one by one."""

Pair = tuple[Callable[[], object], Callable[[], object]]
"""Ours and theirs."""


def main() -> None:
    torch.set_num_threads(1)
    results: dict[str, dict[str, float]] = {}
    print(f"{'tokens/s':34} {'ours':>8} {'transformers':>13} {'ratio':>7}")
    for what, (pair, tokens) in _pairs().items():
        ours, theirs = (tokens / seconds for seconds in _best(pair))
        results[what] = {"ours": ours, "transformers": theirs, "ratio": ours / theirs}
        print(f"{what:34} {ours:8.1f} {theirs:13.1f} {ours / theirs:7.3f}", flush=True)
    Path(sys.argv[1] if len(sys.argv) > 1 else "/dev/null").write_text(json.dumps(results, indent=1))


def _pairs() -> dict[str, tuple[Pair, int]]:
    size = BATCH[0] * BATCH[1]
    our_gpt2 = gpt2.GPT2(gpt2.SIZES["124M"])
    their_gpt2 = GPT2LMHeadModel(GPT2Config(**gpt2.config_of(our_gpt2.shape)))
    our_bert = bert.Bert(bert.SIZES["base"])
    their_bert = BertForMaskedLM(BertConfig(**bert.config_of(our_bert.shape)))
    tokens = torch.randint(0, 30522, BATCH)  # (B, T)

    def their_gpt2_logits(given: Tensor) -> Tensor:
        return their_gpt2(given, use_cache=False).logits

    def their_bert_logits(given: Tensor) -> Tensor:
        return their_bert(given).logits

    prompt = tokens[:1, :PROMPT]
    decoding = copy.deepcopy(our_gpt2)
    arrange(decoding)
    return {
        "GPT-2 124M, forward": (_forward(our_gpt2, their_gpt2_logits, tokens), size),
        "GPT-2 124M, forward and backward": (_both(our_gpt2, their_gpt2_logits, tokens), size),
        "GPT-2 124M, greedy with cache": (_greedy(decoding, their_gpt2, prompt), DECODED),
        "BERT base, forward": (_forward(our_bert, their_bert_logits, tokens), size),
        "BERT base, forward and backward": (_both(our_bert, their_bert_logits, tokens), size),
    }


def _forward(ours: Callable[[Tensor], Tensor], theirs: Callable[[Tensor], Tensor], tokens: Tensor) -> Pair:
    def run(model: Callable[[Tensor], Tensor]) -> None:
        with torch.no_grad():
            model(tokens)

    return lambda: run(ours), lambda: run(theirs)


def _both(ours: Callable[[Tensor], Tensor], theirs: Callable[[Tensor], Tensor], tokens: Tensor) -> Pair:
    def run(model: Callable[[Tensor], Tensor]) -> None:
        functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()

    return lambda: run(ours), lambda: run(theirs)


def _greedy(ours: gpt2.GPT2, theirs: GPT2LMHeadModel, prompt: Tensor) -> Pair:
    def their_generate() -> None:
        theirs.generate(prompt, do_sample=False, min_new_tokens=DECODED, max_new_tokens=DECODED, pad_token_id=0)

    return lambda: list(generate(ours, prompt[0].tolist(), DECODED, Sampling())), their_generate


def _best(pair: Pair) -> tuple[float, float]:
    """The shortest time of each, seconds; the first round of both warms up."""
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS + 1):
        for of, run in zip(times, pair, strict=True):
            started = time.perf_counter()
            run()
            of.append(time.perf_counter() - started)
    return min(times[0][1:]), min(times[1][1:])


main()
