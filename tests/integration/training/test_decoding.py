"""Decoding allows what transformers allows, and the cache changes nothing but the time it takes."""

import copy

import pytest
import torch
from tokenizers import Tokenizer
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from tools import gpt2 as gpt2_files
from workloads.training import tokens
from workloads.training.config import Shape
from workloads.training.decoding import Sampling, arrange, choose, filtered, generate
from workloads.training.generate import stream
from workloads.training.models.gpt2 import GPT2, Cache


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokens.open_tokenizer(gpt2_files.tokenizer())


@pytest.fixture(scope="module")
def model() -> GPT2:
    torch.manual_seed(0)
    return GPT2(Shape(layers=2, heads=2, width=32, context=32, vocabulary=300))


def test_the_original_tokenizer_is_the_original_one(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("Hello world").ids == [15496, 995]
    assert tokenizer.get_vocab_size() == 50257
    assert tokenizer.token_to_id("<|endoftext|>") == 50256
    text = "It's naïve: 日本語, 😀, \n\n  three  spaces"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.mark.parametrize("text", ["naïve 日本語 😀 done", "👩‍👩‍👧 family", "plain words"])
def test_characters_that_spread_over_tokens_come_whole(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text).ids
    parts = list(stream(tokenizer, [], ids))
    assert "".join(parts) == text
    assert all("�" not in part for part in parts)
    assert len(parts) > 1


@pytest.mark.parametrize("sizes", [[10, 1, 1, 1], [1, 5, 4, 10], [20]])
def test_the_cache_changes_no_logits(model: GPT2, sizes: list[int]) -> None:
    given = torch.randint(0, 300, (3, sum(sizes)))
    cache = Cache(model, batch=3)
    with torch.no_grad():
        parts = [model(part, cache) for part in given.split(sizes, dim=1)]
        assert torch.allclose(torch.cat(parts, dim=1), model(given), atol=1e-5)


def test_how_weights_lie_in_memory_changes_no_logits(model: GPT2) -> None:
    arranged = copy.deepcopy(model)
    arrange(arranged)
    given = torch.randint(0, 300, (3, 20))
    with torch.no_grad():
        assert torch.allclose(arranged(given), model(given), atol=1e-5)
    sampling = Sampling()
    assert list(generate(arranged, [1, 2, 3], 20, sampling)) == list(generate(model, [1, 2, 3], 20, sampling))
    saved, ours = arranged.state_dict(), model.state_dict()
    assert all(torch.equal(saved[name], ours[name]) for name in ours)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [0, 1, 10, 1000])
@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.5, 0.01])
def test_what_may_be_drawn_is_what_transformers_allows(temperature: float, top_k: int, top_p: float) -> None:
    logits = torch.randn(5, 300) * 3
    expected = TemperatureLogitsWarper(temperature)(None, logits)
    expected = TopKLogitsWarper(top_k)(None, expected) if top_k else expected
    expected = TopPLogitsWarper(top_p)(None, expected) if top_p < 1 else expected
    for row, theirs in zip(logits, expected, strict=True):
        ours = filtered(row, Sampling(temperature, top_k, top_p))
        assert torch.equal(ours.isinf(), theirs.isinf())
        assert torch.allclose(ours, theirs)


def test_greedy_takes_the_likeliest(model: GPT2) -> None:
    prompt = [1, 2, 3]
    for token in generate(model, prompt, 10, Sampling()):
        with torch.no_grad():
            assert token == int(model(torch.tensor([prompt]))[0, -1].argmax())
        prompt = [*prompt, token]


def test_draws_are_as_frequent_as_they_are_likely() -> None:
    logits, dice = torch.tensor([0.0, 1.0, 2.0]), torch.Generator().manual_seed(0)
    drawn = torch.tensor([choose(logits, Sampling(temperature=1.0), dice) for _ in range(5000)]).bincount() / 5000
    assert torch.allclose(drawn, logits.softmax(-1), atol=0.02)


def test_the_same_seed_gives_the_same_text(model: GPT2) -> None:
    sampling = Sampling(temperature=1.0, top_p=0.9)
    texts = [list(generate(model, [1, 2], 20, sampling, seed)) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


def test_a_text_ends_with_the_context(model: GPT2) -> None:
    assert len(list(generate(model, [1] * 30, 100, Sampling()))) == 2
