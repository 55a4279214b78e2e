"""DNABERT-2 and DNABERT-S in plain PyTorch: a BERT with ALiBi, fused projections and a gated MLP (MosaicBERT).

The names of the modules are those of the published checkpoints, whose own code is never run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPSILON = 1e-12
"""Of BERT's normalisation, where the configuration has none."""


class MosaicBert(nn.Module):
    """The encoder of DNABERT-2/-S, without a pooler or a head."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """`config` is the content of the model's config.json. Raises KeyError if a size is missing."""
        super().__init__()
        width, eps = config["hidden_size"], config.get("layer_norm_eps", _EPSILON)
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(config["vocab_size"], width),
                "token_type_embeddings": nn.Embedding(config["type_vocab_size"], width),
                "LayerNorm": nn.LayerNorm(width, eps=eps),
            }
        )
        layers = (_Layer(config) for _ in range(config["num_hidden_layers"]))
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})
        self._slopes = alibi_slopes(config["num_attention_heads"])

    def forward(self, input_ids: Tensor, attention_mask: Tensor, layer: int) -> Tensor:
        """Return the hidden states after `layer` layers; shape (sequences, tokens, width)."""
        types = self.embeddings["token_type_embeddings"].weight[0]
        hidden: Tensor = self.embeddings["LayerNorm"](self.embeddings["word_embeddings"](input_ids) + types)
        bias = self._attention_bias(attention_mask).to(hidden.dtype)
        for module in self.encoder["layer"][:layer]:
            hidden = module(hidden, bias)
        return hidden

    def _attention_bias(self, attention_mask: Tensor) -> Tensor:
        """Return what is added to the attention scores; shape (sequences, heads, tokens, tokens)."""
        position = torch.arange(attention_mask.shape[1], device=attention_mask.device)
        distance = (position[:, None] - position[None, :]).abs()
        slopes = torch.tensor(self._slopes, device=attention_mask.device)
        is_padding = attention_mask[:, None, None, :] == 0
        return (-distance * slopes[:, None, None])[None].masked_fill(is_padding, -math.inf)


class _Layer(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        eps = config.get("layer_norm_eps", _EPSILON)
        self._heads = config["num_attention_heads"]
        projections = nn.ModuleDict({"Wqkv": nn.Linear(width, 3 * width)})
        output = nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, eps=eps)})
        self.attention = nn.ModuleDict({"self": projections, "output": output})
        self.mlp = nn.ModuleDict(
            {
                "gated_layers": nn.Linear(width, 2 * inner, bias=False),
                "wo": nn.Linear(inner, width),
                "layernorm": nn.LayerNorm(width, eps=eps),
            }
        )

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        fused = self.attention["self"]["Wqkv"](hidden)
        query, key, value = fused.unflatten(-1, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        output = self.attention["output"]
        hidden = output["LayerNorm"](output["dense"](attended.transpose(1, 2).flatten(2)) + hidden)
        gate, linear = self.mlp["gated_layers"](hidden).chunk(2, dim=-1)
        result: Tensor = self.mlp["layernorm"](self.mlp["wo"](functional.gelu(gate) * linear) + hidden)
        return result


def alibi_slopes(heads: int) -> list[float]:
    """Return how fast the attention of each head falls with the distance, as in the paper of ALiBi.

    A geometric sequence for a power of 2; else that of the power below, followed by every other one of the power
    above.
    """
    power = 1 << (heads.bit_length() - 1)
    if power == heads:
        return [2.0 ** (-8 * (index + 1) / heads) for index in range(heads)]
    return alibi_slopes(power) + alibi_slopes(2 * power)[::2][: heads - power]
