"""ESM-2 as the package fair-esm stores it: one file, with names of its own, for the model of transformers.

The file is a pickle, which may hold any program. Only weights are read of it, and a plain record of settings.
"""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from transformers import EsmConfig

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible

ALPHABET = ("<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>")
"""The tokens of each ESM-2, in order."""

_PREFIX = re.compile(r"^encoder\.(?:sentence_encoder\.)?")
_NAMES = {
    "embed_tokens.": "embeddings.word_embeddings.",
    "emb_layer_norm_after.": "encoder.emb_layer_norm_after.",
    "contact_head.": "contact_head.",
}
_NAMES_IN_LAYER = {
    "self_attn.q_proj.": "attention.self.query.",
    "self_attn.k_proj.": "attention.self.key.",
    "self_attn.v_proj.": "attention.self.value.",
    "self_attn.rot_emb.": "attention.self.rotary_embeddings.",
    "self_attn.out_proj.": "attention.output.dense.",
    "self_attn_layer_norm.": "attention.LayerNorm.",
    "fc1.": "intermediate.dense.",
    "fc2.": "output.dense.",
    "final_layer_norm.": "LayerNorm.",
}
_LAYER = re.compile(r"^(layers\.)([0-9]+\.)")


def read_fair_esm(path: Path) -> tuple[EsmConfig, dict[str, Any]]:
    """Return the configuration and the weights for transformers' EsmModel. Raises UserError for another file."""
    shown = visible(path.name)
    try:
        with torch.serialization.safe_globals([Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # The exceptions of a damaged file and of a refused one have no common base.
        raise UserError(
            f"{shown}: is damaged, or contains more than weights, which is not run; "
            "fetch it again, or the model in the layout of Hugging Face"
        ) from error
    try:
        settings = content["cfg"]["model"]
        config = EsmConfig(
            vocab_size=len(ALPHABET),
            hidden_size=settings.encoder_embed_dim,
            num_hidden_layers=settings.encoder_layers,
            num_attention_heads=settings.encoder_attention_heads,
            intermediate_size=4 * settings.encoder_embed_dim,
            token_dropout=settings.token_dropout,
            position_embedding_type="rotary",
            emb_layer_norm_before=False,
            layer_norm_eps=1e-5,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            pad_token_id=ALPHABET.index("<pad>"),
            mask_token_id=ALPHABET.index("<mask>"),
        )
        weights = {new: value for name, value in content["model"].items() if (new := new_name(name)) is not None}
    except (KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{shown}: is not a model of fair-esm: it lacks {visible(str(error))}") from error
    return config, weights


def new_name(name: str) -> str | None:
    """Return the name in transformers' model of a weight of fair-esm's; None: the encoder has no such weight."""
    name = _PREFIX.sub("", name)
    layer = _LAYER.match(name)
    if layer is None:
        return _renamed(name, _NAMES)
    in_layer = _renamed(name[layer.end() :], _NAMES_IN_LAYER)
    return None if in_layer is None else f"encoder.layer.{layer[2]}{in_layer}"


def _renamed(name: str, names: dict[str, str]) -> str | None:
    for old, new in names.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return None
