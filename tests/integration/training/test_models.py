"""Our models are the originals: what they say of a text is what transformers says of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM, BertModel, GPT2Config, GPT2LMHeadModel

from tools import minilm
from workloads.training import weights
from workloads.training.config import Family, Shape
from workloads.training.errors import InvalidJob
from workloads.training.models import bert, gpt2

SMALL = Shape(layers=2, heads=2, width=32, context=64, vocabulary=300)


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def small_gpt2(folder: Path) -> GPT2LMHeadModel:
    theirs = GPT2LMHeadModel(GPT2Config(**gpt2.config_of(SMALL))).eval()
    theirs.save_pretrained(folder)
    return theirs


def small_bert(folder: Path) -> BertForMaskedLM:
    theirs = BertForMaskedLM(BertConfig(**bert.config_of(SMALL))).eval()
    theirs.cls.predictions.bias.normal_()
    theirs.save_pretrained(folder)
    return theirs


def rewrite(folder: Path, change: Mapping[str, str]) -> None:
    state = load_file(folder / "model.safetensors")
    for old, new in change.items():
        state = {name.replace(old, new): weight.clone() for name, weight in state.items()}
    save_file(state, folder / "model.safetensors")


def ours(family: Family, folder: Path) -> torch.nn.Module:
    model = weights.build(family, weights.read_shape(family, folder / "config.json")).eval()
    weights.load(model, family, folder)
    return model


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def test_gpt2_of_the_real_shape_has_the_logits_of_transformers(tmp_path: Path) -> None:
    theirs = GPT2LMHeadModel(GPT2Config()).eval()
    theirs.save_pretrained(tmp_path)
    model = ours(Family.GPT2, tmp_path)
    assert sum(parameter.numel() for parameter in model.parameters()) == 124_439_808
    tokens = torch.randint(0, 50257, (2, 64))
    assert difference(model(tokens), theirs(tokens).logits) < 1e-5


def test_bert_with_the_real_weights_has_the_hidden_states_of_transformers() -> None:
    theirs, model = BertModel.from_pretrained(minilm.original()).eval(), ours(Family.BERT, minilm.original())
    tokens, present = torch.randint(0, 30522, (3, 40)), torch.ones(3, 40, dtype=torch.bool)
    present[1, 25:] = False
    expected = theirs(input_ids=tokens, attention_mask=present.long()).last_hidden_state
    assert difference(model.hidden(tokens, present)[present], expected[present]) < 1e-5


@pytest.mark.parametrize("change", [{}, {"transformer.": ""}], ids=["prefix", "none"])
def test_gpt2_loads_with_and_without_its_prefix(tmp_path: Path, change: Mapping[str, str]) -> None:
    theirs = small_gpt2(tmp_path)
    rewrite(tmp_path, change)
    tokens = torch.randint(0, 300, (2, 64))
    assert difference(ours(Family.GPT2, tmp_path)(tokens), theirs(tokens).logits) < 1e-5


def test_gpt2_ignores_the_masks_and_the_second_head_of_old_files(tmp_path: Path) -> None:
    theirs = small_gpt2(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    state["transformer.h.0.attn.bias"] = torch.ones(1, 1, 64, 64).tril()
    state["transformer.h.0.attn.masked_bias"] = torch.tensor(-1e4)
    state["lm_head.weight"] = state["transformer.wte.weight"].clone()
    save_file(state, tmp_path / "model.safetensors")
    tokens = torch.randint(0, 300, (2, 64))
    assert difference(ours(Family.GPT2, tmp_path)(tokens), theirs(tokens).logits) < 1e-5


@pytest.mark.parametrize(
    "change",
    [{}, {"bert.": ""}, {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}],
    ids=["prefix", "none", "old names"],
)
def test_bert_with_its_head_loads_under_each_of_its_names(tmp_path: Path, change: Mapping[str, str]) -> None:
    theirs = small_bert(tmp_path)
    rewrite(tmp_path, change)
    tokens = torch.randint(0, 300, (2, 64))
    assert difference(ours(Family.BERT, tmp_path)(tokens), theirs(tokens).logits) < 1e-5


@pytest.mark.parametrize(("family", "theirs"), [(Family.GPT2, GPT2LMHeadModel), (Family.BERT, BertForMaskedLM)])
def test_what_we_save_opens_in_transformers(tmp_path: Path, family: Family, theirs: type) -> None:
    model = weights.build(family, SMALL).eval()
    (tmp_path / "tokenizer.json").write_text("{}")
    weights.save(model.state_dict(), family, SMALL, tmp_path / "tokenizer.json", tmp_path / "model")
    opened, told = theirs.from_pretrained(tmp_path / "model", output_loading_info=True)  # type: ignore[attr-defined]
    assert not any(told.values()), told
    tokens = torch.randint(0, 300, (2, 64))
    assert difference(model(tokens), opened.eval()(tokens).logits) < 1e-5


def test_weights_of_another_shape_are_refused_by_name(tmp_path: Path) -> None:
    small_gpt2(tmp_path)
    with pytest.raises(InvalidJob, match=r"wte.weight: expected the shape \(400, 32\), found \(300, 32\)"):
        weights.load(gpt2.GPT2(Shape(2, 2, 32, 64, 400)), Family.GPT2, tmp_path)


def test_weights_of_another_family_are_refused(tmp_path: Path) -> None:
    small_gpt2(tmp_path)
    with pytest.raises(InvalidJob, match="expected weights of bert, found none named embeddings"):
        weights.load(bert.Bert(SMALL), Family.BERT, tmp_path)


def test_a_cut_file_of_weights_is_refused(tmp_path: Path) -> None:
    small_gpt2(tmp_path)
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:-100])
    with pytest.raises(InvalidJob, match="expected a safetensors file"):
        weights.load(gpt2.GPT2(SMALL), Family.GPT2, tmp_path)
