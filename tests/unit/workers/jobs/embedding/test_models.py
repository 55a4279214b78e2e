"""Weights that do not fit, or are more than weights, are refused; DNABERT computes what its papers say."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'virnucpro-bus[models]'")

import numpy as np
from safetensors.torch import save_file

from tests.support.tiny_models import DNABERT_CONFIG, randomize
from virnucpro_bus.errors import UserError
from workers.jobs.embedding.models import load_model
from workers.jobs.embedding.mosaic import MosaicBert, alibi_slopes
from workers.jobs.embedding.settings import settings_of


def copy_of(model: Path, folder: Path) -> Path:
    return Path(shutil.copytree(model, folder / model.name))


def refusal(model: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_model(settings_of({"model": str(model)}), "cpu")
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(f"{model}: ")
    return str(caught.value)


class Hostile:
    """Unpickled, it would create a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


def test_a_pickle_that_is_more_than_weights_is_refused_and_not_run(
    dnabert: Path, bert: Path, fair_esm: Path, tmp_path: Path
) -> None:
    trap = tmp_path / "ran"
    for model in (copy_of(dnabert, tmp_path), copy_of(bert, tmp_path)):
        (model / "model.safetensors").unlink(missing_ok=True)
        torch.save({"embeddings.weight": Hostile(trap)}, model / "pytorch_model.bin")
        refusal(model)
    file = tmp_path / fair_esm.name
    torch.save({"cfg": {"model": Hostile(trap)}, "model": {}}, file)
    assert "is damaged, or contains more than weights, which is not run" in refusal(file)
    torch.load(file, weights_only=False)
    assert trap.exists(), "the trap works"


def test_weights_that_do_not_fit_are_refused_not_made_up(
    esm: Path, dnabert: Path, fair_esm: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    model = copy_of(esm, tmp_path)
    weights = load_file(model / "model.safetensors")
    name = "encoder.layer.1.attention.self.query.weight"
    save_file({other: weights[other] for other in weights if other != f"esm.{name}"}, model / "model.safetensors")
    assert f"do not fit its config.json: 1 are missing or of another shape, such as {name}" in refusal(model)

    model = copy_of(dnabert, tmp_path)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    assert "such as encoder.layer.2.attention" in refusal(model)
    (model / "config.json").write_text(json.dumps({**config, "intermediate_size": 96}))
    assert "4 are missing or of another shape, such as encoder.layer.0.mlp.gated_layers.weight" in refusal(model)
    (model / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    assert "cannot be loaded: " in refusal(model)

    file = tmp_path / fair_esm.name
    content = torch.load(fair_esm, weights_only=False)
    torch.save({**content, "model": {"encoder.other": torch.zeros(1)}}, file)
    assert "its weights do not fit" in refusal(file)
    torch.save({"model": {}}, file)
    assert "is not a model of fair-esm: it lacks 'cfg'" in refusal(file)


def test_a_tokenizer_of_words_is_refused(bert: Path, tmp_path: Path) -> None:
    from tests.support.tiny_models import make_tokenizer

    model = copy_of(bert, tmp_path)
    make_tokenizer("01", model)
    assert "its tokenizer knows no piece of a sequence such as MKTAYIAKQRQ" in refusal(model)


def test_slopes_are_those_of_the_paper_of_alibi() -> None:
    assert alibi_slopes(8) == [2.0**-power for power in range(1, 9)]
    # Between powers of two, as its authors do: 8 of 8 heads, then every other one of 16.
    assert alibi_slopes(12) == [*alibi_slopes(8), *(2.0**-power for power in (0.5, 1.5, 2.5, 3.5))]


def test_the_states_of_dnabert_equal_those_computed_head_by_head_and_token_by_token() -> None:
    config: dict[str, Any] = {**DNABERT_CONFIG, "vocab_size": 50}
    model = randomize(MosaicBert(config))
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    tokens = [1, 7, 33, 8, 8, 49, 2]
    with torch.inference_mode():
        row = torch.tensor([[*tokens, 3, 3]])
        mask = torch.tensor([[1] * len(tokens) + [0, 0]])
        states = model(row, mask, config["num_hidden_layers"])[0, : len(tokens)].numpy()
    assert np.abs(states - slow_states(weights, tokens, config["num_attention_heads"])).max() < 1e-5


def slow_states(weights: dict[str, Any], tokens: list[int], heads: int) -> Any:
    """The states after two layers, in float64."""

    def linear(name: str, vector: Any) -> Any:
        return weights[f"{name}.weight"] @ vector + weights.get(f"{name}.bias", 0.0)

    def normal(name: str, vector: Any) -> Any:
        centred = vector - vector.mean()
        return centred / np.sqrt((centred**2).mean() + 1e-12) * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def gelu(vector: Any) -> Any:
        return np.array([x * (1 + math.erf(x / 2**0.5)) / 2 for x in vector])

    first_type = weights["embeddings.token_type_embeddings.weight"][0]
    words = weights["embeddings.word_embeddings.weight"]
    states = [normal("embeddings.LayerNorm", words[token] + first_type) for token in tokens]
    for number in range(2):
        layer = f"encoder.layer.{number}."
        size = len(states[0]) // heads
        fused = [linear(layer + "attention.self.Wqkv", state).reshape(3, heads, size) for state in states]
        after = []
        for here, state in enumerate(states):
            context = []
            for head, slope in enumerate(alibi_slopes(heads)):
                scores = np.array(
                    [fused[here][0, head] @ other[1, head] / size**0.5 - slope * abs(here - there)
                     for there, other in enumerate(fused)]
                )  # fmt: skip
                share = np.exp(scores - scores.max())
                context.append(
                    sum(s * other[2, head] for s, other in zip(share / share.sum(), fused, strict=True))
                )
            dense = linear(layer + "attention.output.dense", np.concatenate(context))
            middle = normal(layer + "attention.output.LayerNorm", dense + state)
            gate, plain = np.split(linear(layer + "mlp.gated_layers", middle), 2)
            after.append(normal(layer + "mlp.layernorm", linear(layer + "mlp.wo", gelu(gate) * plain) + middle))
        states = after
    return np.stack(states)
