"""BERT with its masked-language head, from scratch, in the order in which data flows.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding" (2019); the reference
is `modeling_bert.py` of transformers, with whose hidden states and logits these are equal. Modules are named as the
hub's files name them. Norms come after the sums (post-LN), GELU is the exact one. Left out: the pooler, which only
next-sentence prediction trains, and dropout (see gpt2.py).
"""

import re
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.training.config import Shape

SIZES: Final = {
    "base": Shape(layers=12, heads=12, width=768, context=512, vocabulary=30522),
    "large": Shape(layers=24, heads=16, width=1024, context=512, vocabulary=30522),
}


class Bert(nn.Module):
    """Tokens in, logits of what stands at each place out."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embeddings = Embeddings(shape)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer(shape) for _ in range(shape.layers))})
        self.cls = nn.ModuleDict({"predictions": Predictions(shape)})
        self.apply(self._initialise)

    def forward(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """Logits (B, T, V) of tokens (B, T); `present` (B, T, bool) is False where a text is padded."""
        return self.cls["predictions"](self.hidden(tokens, present), self.embeddings.word_embeddings.weight)

    def hidden(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """The last hidden states (B, T, C)."""
        mask = None if present is None else present[:, None, None, :]  # (B, 1, 1, T): for all heads and readers
        x = self.embeddings(tokens)
        for layer in self.encoder["layer"]:
            x = layer(x, mask)
        return x

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)


class Embeddings(nn.Module):
    """What a token is, where it stands, and to which of two texts it belongs: here always the first."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(shape.vocabulary, shape.width)
        self.position_embeddings = nn.Embedding(shape.context, shape.width)
        self.token_type_embeddings = nn.Embedding(2, shape.width)
        self.LayerNorm = nn.LayerNorm(shape.width, eps=1e-12)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens (B, T) → (B, T, C)."""
        place = self.position_embeddings.weight[: tokens.shape[1]]  # (T, C)
        first = self.token_type_embeddings.weight[0]  # (C)
        return self.LayerNorm(self.word_embeddings(tokens) + (place + first))


class Layer(nn.Module):
    """What each token reads from all of them, then what it makes of that."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention = Attention(shape)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(shape.width, 4 * shape.width)})
        self.output = Output(4 * shape.width, shape.width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        x = self.attention(x, mask)
        return self.output(functional.gelu(self.intermediate["dense"](x)), x)


class Attention(nn.Module):
    """Attention with several heads, what it gives added to what it was given."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self = SelfAttention(shape)
        self.output = Output(shape.width, shape.width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        return self.output(self.self(x, mask), x)


class SelfAttention(nn.Module):
    """The heads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query = nn.Linear(shape.width, shape.width)
        self.key = nn.Linear(shape.width, shape.width)
        self.value = nn.Linear(shape.width, shape.width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        B, T, C = x.shape
        split = (B, T, self.heads, C // self.heads)
        q = self.query(x).view(split).transpose(1, 2)  # (B, nh, T, hs)
        k = self.key(x).view(split).transpose(1, 2)
        v = self.value(x).view(split).transpose(1, 2)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return y.transpose(1, 2).reshape(B, T, C)


class Output(nn.Module):
    """Back to the width of the residual stream, added to it, and normed."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inside, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        """y (B, T, inside), x (B, T, C) → (B, T, C)."""
        return self.LayerNorm(self.dense(y) + x)


class Predictions(nn.Module):
    """The masked-language head: one more layer, then the word embeddings again."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        dense, norm = nn.Linear(shape.width, shape.width), nn.LayerNorm(shape.width, eps=1e-12)
        self.transform = nn.ModuleDict({"dense": dense, "LayerNorm": norm})
        self.bias = nn.Parameter(torch.zeros(shape.vocabulary))

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """x (B, T, C), words (V, C) → (B, T, V)."""
        x = self.transform["LayerNorm"](functional.gelu(self.transform["dense"](x)))
        return functional.linear(x, words, self.bias)


OLD_NAMES: Final = ((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias"))
"""As files converted from TensorFlow name them."""
LEFT_OUT: Final = re.compile(r"pooler\.|cls\.seq_relationship\.|cls\.predictions\.decoder\.|.*position_ids$")
"""What we have no module for, and the head's second names for the word embeddings and its bias."""


def from_hub(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our state dict of a file from the hub, with or without the prefix `bert.`, with old names and new."""
    state = {}
    for name, weight in weights.items():
        known = name.removeprefix("bert.")
        for old, new in OLD_NAMES:
            known = re.sub(old, new, known)
        if not LEFT_OUT.match(known):
            state[known] = weight
    return state


def to_hub(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of ours as `BertForMaskedLM` of transformers saves it."""
    return {name if name.startswith("cls.") else f"bert.{name}": weight for name, weight in state.items()}


def shape_of(config: Mapping[str, int]) -> Shape:
    """The shape in a config.json of the hub. Raises KeyError."""
    return Shape(
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        width=config["hidden_size"],
        context=config["max_position_embeddings"],
        vocabulary=config["vocab_size"],
    )


def config_of(shape: Shape) -> dict[str, object]:
    """The config.json of the hub for a shape."""
    return {
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "hidden_size": shape.width,
        "intermediate_size": 4 * shape.width,
        "max_position_embeddings": shape.context,
        "type_vocab_size": 2,
        "vocab_size": shape.vocabulary,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
