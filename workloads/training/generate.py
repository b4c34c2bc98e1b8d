"""`python -m workloads.training generate MODEL "text to go on from"`: text from a GPT-2, as it comes.

MODEL is a folder with model.safetensors, config.json and a tokenizer: a finished job's `model`, or one of the hub.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from workloads.training import tokens, weights
from workloads.training.config import Family
from workloads.training.decoding import Sampling, arrange, generate
from workloads.training.errors import InvalidJob
from workloads.training.models.gpt2 import GPT2


def main(arguments: list[str]) -> int:
    """Write the prompt and what comes after it to standard output."""
    parser = argparse.ArgumentParser(prog="python -m workloads.training generate", description=__doc__)
    parser.add_argument("model", type=Path, help="its folder")
    parser.add_argument("prompt", help="what the text goes on from")
    parser.add_argument("--tokens", type=int, default=100, help="at most so many (default 100)")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy (default 0.8)")
    parser.add_argument("--top-k", type=int, default=0, help="only the k likeliest tokens (default 0: all)")
    parser.add_argument(
        "--top-p", type=float, default=0.95, help="only the likeliest that have p together (default 0.95)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed, the same text (default 0)")
    asked = parser.parse_args(arguments)
    try:
        model = GPT2(weights.read_shape(Family.GPT2, asked.model / "config.json")).eval()
        weights.load(model, Family.GPT2, asked.model)
        arrange(model)
        tokenizer = tokens.open_tokenizer(asked.model)
    except InvalidJob as error:
        print(error, file=sys.stderr)
        return 1
    prompt = tokenizer.encode(asked.prompt).ids
    if not 0 < len(prompt) < model.shape.context:
        print(f"prompt: expected 1 to {model.shape.context - 1} tokens, got {len(prompt)}", file=sys.stderr)
        return 2
    sampling = Sampling(asked.temperature, asked.top_k, asked.top_p)
    print(asked.prompt, end="", flush=True)
    for text in stream(tokenizer, prompt, generate(model, prompt, asked.tokens, sampling, asked.seed)):
        print(text, end="", flush=True)
    print()
    return 0


def stream(tokenizer: Tokenizer, prompt: list[int], generated: Iterable[int]) -> Iterator[str]:
    """The text of tokens as soon as it is sure: a character that spreads over several tokens comes once, whole."""
    decoder = DecodeStream(ids=prompt, skip_special_tokens=True)
    for token in generated:
        if text := decoder.step(tokenizer, token):
            yield text
