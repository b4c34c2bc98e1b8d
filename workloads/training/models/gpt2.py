"""GPT-2, from scratch, in the order in which data flows.

Radford et al., "Language Models are Unsupervised Multitask Learners" (2019); the reference is `modeling_gpt2.py` of
transformers, with whose logits these are equal, and nanoGPT showed how short it can be. Modules are named as the hub's
files name them, so a state dict of ours is one of theirs, but for the weights in `TRANSPOSED`.

There is no dropout: GPT-2 never sees a text often enough to want it, and without it the loss does not depend on how
many workers share a batch.
"""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.training.config import Shape

SIZES: Final = {
    "124M": Shape(layers=12, heads=12, width=768, context=1024, vocabulary=50257),
    "355M": Shape(layers=24, heads=16, width=1024, context=1024, vocabulary=50257),
    "774M": Shape(layers=36, heads=20, width=1280, context=1024, vocabulary=50257),
    "1558M": Shape(layers=48, heads=25, width=1600, context=1024, vocabulary=50257),
}


class GPT2(nn.Module):
    """Tokens in, logits of the next token at each place out."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.wte = nn.Embedding(shape.vocabulary, shape.width)
        self.wpe = nn.Embedding(shape.context, shape.width)
        self.h = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.ln_f = nn.LayerNorm(shape.width)
        self.apply(self._initialise)

    def forward(self, tokens: Tensor, cache: "Cache | None" = None) -> Tensor:
        """Logits (B, T, V) of tokens (B, T); with a cache, `tokens` go on where its last ones ended."""
        return self.head(self.hidden(tokens, cache))

    def hidden(self, tokens: Tensor, cache: "Cache | None" = None) -> Tensor:
        """The last hidden states (B, T, C)."""
        past = cache.length if cache else 0
        x = self.wte(tokens) + self.wpe.weight[past : past + tokens.shape[1]]  # (B, T, C)
        for layer, block in enumerate(self.h):
            x = block(x, cache.layer(layer) if cache else None, past)
        if cache:
            cache.length += tokens.shape[1]
        return self.ln_f(x)

    def head(self, x: Tensor) -> Tensor:
        """Logits (..., V) of hidden states (..., C): the head is the embedding again."""
        return functional.linear(x, self.wte.weight)

    def _initialise(self, module: nn.Module) -> None:
        """Weights as in the paper: N(0, 0.02), what ends in the residual stream smaller by its 2 x layers summands."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, Attention | MLP):
            nn.init.normal_(module.c_proj.weight, std=0.02 / (2 * self.shape.layers) ** 0.5)


class Block(nn.Module):
    """One layer: what each token reads from those before it, then what it makes of that."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(shape.width)
        self.attn = Attention(shape)
        self.ln_2 = nn.LayerNorm(shape.width)
        self.mlp = MLP(shape)

    def forward(self, x: Tensor, cached: tuple[Tensor, Tensor] | None, past: int) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        x = x + self.attn(self.ln_1(x), cached, past)
        return x + self.mlp(self.ln_2(x))


class Attention(nn.Module):
    """Causal attention with several heads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.c_attn = nn.Linear(shape.width, 3 * shape.width)
        self.c_proj = nn.Linear(shape.width, shape.width)

    def forward(self, x: Tensor, cached: tuple[Tensor, Tensor] | None, past: int) -> Tensor:
        """x (B, T, C) → (B, T, C); `cached` holds keys and values of the `past` tokens before, and gets these."""
        B, T, C = x.shape
        q, k, v = (
            self.c_attn(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        )  # each (B, nh, T, hs)
        if cached:
            keys, values = cached
            keys[:, :, past : past + T], values[:, :, past : past + T] = k, v
            k, v = keys[:, :, : past + T], values[:, :, : past + T]  # (B, nh, past + T, hs)
        if past and T > 1:
            seen = torch.ones(T, past + T, dtype=torch.bool, device=x.device).tril(past)
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        else:  # one token reads all that there is
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=T > 1)
        return self.c_proj(y.transpose(1, 2).reshape(B, T, C))


class MLP(nn.Module):
    """Four times as wide inside, with the tanh approximation of GELU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.c_fc = nn.Linear(shape.width, 4 * shape.width)
        self.c_proj = nn.Linear(4 * shape.width, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        return self.c_proj(functional.gelu(self.c_fc(x), approximate="tanh"))


class Cache:
    """Keys and values of the tokens so far, with room for the whole context."""

    def __init__(self, model: GPT2, batch: int) -> None:
        shape, weight = model.shape, model.wte.weight
        room = (2, shape.layers, batch, shape.heads, shape.context, shape.width // shape.heads)
        self._kept = torch.empty(room, dtype=weight.dtype, device=weight.device)
        self.length = 0

    def layer(self, number: int) -> tuple[Tensor, Tensor]:
        """Keys and values of a layer, each (B, nh, context, hs)."""
        return self._kept[0, number], self._kept[1, number]


TRANSPOSED: Final = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
"""The original was written with a `Conv1D` that keeps its weight as (in, out); nn.Linear keeps (out, in)."""
BUFFERS: Final = (".attn.bias", ".attn.masked_bias")
"""Causal masks that old files hold among the weights."""


def from_hub(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our state dict of a file from the hub, with or without the prefix `transformer.`."""
    named = {name.removeprefix("transformer."): weight for name, weight in weights.items()}
    return {
        name: weight.t() if name.endswith(TRANSPOSED) else weight
        for name, weight in named.items()
        if not name.endswith(BUFFERS) and name != "lm_head.weight"  # tied: it is wte.weight
    }


def to_hub(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of ours as `GPT2LMHeadModel` of transformers saves it."""
    return {
        f"transformer.{name}": weight.t() if name.endswith(TRANSPOSED) else weight for name, weight in state.items()
    }


def shape_of(config: Mapping[str, int]) -> Shape:
    """The shape in a config.json of the hub. Raises KeyError."""
    return Shape(
        layers=config["n_layer"],
        heads=config["n_head"],
        width=config["n_embd"],
        context=config["n_positions"],
        vocabulary=config["vocab_size"],
    )


def config_of(shape: Shape) -> dict[str, object]:
    """The config.json of the hub for a shape."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "n_layer": shape.layers,
        "n_head": shape.heads,
        "n_embd": shape.width,
        "n_positions": shape.context,
        "vocab_size": shape.vocabulary,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    }
