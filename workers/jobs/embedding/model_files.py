"""Which model the files of a local folder hold, by their names and config.json alone: no framework is loaded.

Three kinds can be read: ESM in the layout of Hugging Face, or ESM-2 as fair-esm's own file; DNABERT-2 and -S; and
models of the BERT family that the library transformers knows. Code that comes with a model is never run, so that a
model that needs some is refused, but for DNABERT, which `mosaic.py` reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible

ESM_MAX_LENGTH = 1022
"""ESM-2 was trained on sequences of up to so many residues."""

CONFIG = "config.json"
_MAX_CONFIG_BYTES = 1 << 20
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
"""The files of weights, in the order of preference: one file, or several whose names end in -N-of-M."""
_FAIR_ESM_FILE = re.compile(r"esm2_t(?P<layers>[0-9]{1,3})_[0-9A-Za-z]+_UR50D\.pt", re.ASCII)
SPECIAL_TOKENS = 2
"""All of these models put one token before a sequence and one after it."""

_DNABERT_SIZES = ("hidden_size", "intermediate_size", "num_attention_heads", "vocab_size", "type_vocab_size")
_BERTS = ("bert", "distilbert", "albert", "electra", "modernbert")
_ROBERTAS = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Their positions begin after the number of the padding token."""


class ModelKind(StrEnum):
    """How a model is loaded, and what it reads."""

    ESM = "ESM"
    FAIR_ESM = "ESM-2 of fair-esm"
    DNABERT = "DNABERT"
    BERT = "BERT"

    @property
    def is_esm(self) -> bool:
        """Whether each residue is one token."""
        return self in (ModelKind.ESM, ModelKind.FAIR_ESM)


@dataclass(frozen=True)
class ModelFiles:
    """A model in local files."""

    path: Path
    """Its folder, or fair-esm's file."""
    kind: ModelKind
    layers: int
    limit: int | None
    """The most tokens that it can read, without special ones; None: any number."""
    config: Mapping[str, Any]
    """What config.json contains; empty for fair-esm's file."""

    @property
    def weights(self) -> list[Path]:
        """The files of its weights, by name; at least one."""
        return [self.path] if self.kind is ModelKind.FAIR_ESM else _weights_in(self.path)


def find_model(given: str) -> ModelFiles:
    """Return the model in the folder or file `given`. Raises UserError if there is none that can be read."""
    path = Path(given).expanduser()
    shown = visible(given)
    try:
        if path.is_dir():
            return _model_in_folder(path, shown)
        if path.is_file():
            return _model_of_fair_esm(path, shown)
    except OSError as error:
        raise UserError(f"{shown}: cannot be read: {error.strerror}") from error
    # The name of a model on its hub, such as facebook/esm2_t6_8M_UR50D, or a path that is not there.
    is_name = given.count("/") == 1 and not given.startswith((".", "/", "~"))
    name, folder = (given, path.name) if is_name else ("NAME", given)
    raise UserError(
        f"{shown}: is not a folder, and nothing is downloaded; fetch the model first: "
        f"hf download {visible(name)} --local-dir {visible(folder)}"
    )


def _model_of_fair_esm(path: Path, shown: str) -> ModelFiles:
    match = _FAIR_ESM_FILE.fullmatch(path.name)
    if match is None:
        raise UserError(
            f"{shown}: is not a model: expected the folder of one, or ESM-2 of fair-esm, esm2_t*_*_UR50D.pt"
        )
    return ModelFiles(path, ModelKind.FAIR_ESM, int(match["layers"]), None, {})


def _model_in_folder(path: Path, shown: str) -> ModelFiles:
    config = _read_config(path / CONFIG, shown)
    model_type = str(config.get("model_type"))
    is_dnabert = model_type == "bert" and "alibi_starting_size" in config
    if not is_dnabert:
        _refuse_other_models(config, model_type, shown)
    if not any((path / name).is_file() for name in _TOKENIZERS):
        raise UserError(f"{shown}: has no tokenizer: expected one of {', '.join(_TOKENIZERS)}; fetch it again")
    if not _weights_in(path):
        raise UserError(f"{shown}: has no weights: expected {' or '.join(_WEIGHTS)}; fetch it again")
    layers = _number(config, "n_layers" if model_type == "distilbert" else "num_hidden_layers", shown)
    if is_dnabert:
        for name in _DNABERT_SIZES:
            _number(config, name, shown)
        return ModelFiles(path, ModelKind.DNABERT, layers, None, config)
    kind = ModelKind.ESM if model_type == "esm" else ModelKind.BERT
    if kind is ModelKind.ESM and config.get("position_embedding_type") == "rotary":
        return ModelFiles(path, kind, layers, None, config)
    limit = _number(config, "max_position_embeddings", shown) - SPECIAL_TOKENS
    if model_type in (*_ROBERTAS, "esm"):
        limit -= _number({"pad_token_id": 1, **config}, "pad_token_id", shown) + 1
    if limit < 1:
        raise UserError(f"{shown}: max_position_embeddings in its {CONFIG} is too small; fetch it again")
    return ModelFiles(path, kind, layers, limit, config)


def _weights_in(path: Path) -> list[Path]:
    found = (sorted(path.glob(pattern)) for pattern in _WEIGHTS)
    return next((files for files in found if files), [])


def _refuse_other_models(config: Mapping[str, Any], model_type: str, shown: str) -> None:
    if model_type not in ("esm", *_BERTS, *_ROBERTAS):
        raise UserError(
            f"{shown}: is a model of the type '{visible(model_type)[:50]}'; "
            f"use one of: esm, DNABERT-2/-S, {', '.join((*_BERTS, *_ROBERTAS))}"
        )
    own_code = config.get("auto_map")
    if isinstance(own_code, dict) and any(str(name).startswith("AutoModel") for name in own_code):
        raise UserError(
            f"{shown}: needs code that comes with the model (auto_map in {CONFIG}), which is never run; "
            "use a model that transformers can read by itself"
        )
    if config.get("is_decoder") is True:
        raise UserError(f"{shown}: is a decoder (is_decoder in {CONFIG}); use an encoder, such as ESM-2")


def _read_config(path: Path, shown: str) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(_MAX_CONFIG_BYTES))
    except FileNotFoundError:
        raise UserError(f"{shown}: has no {CONFIG}, so it is not the folder of a model; fetch it again") from None
    except (ValueError, RecursionError):
        raise UserError(f"{shown}: its {CONFIG} is not JSON; fetch it again") from None
    if not isinstance(config, dict):
        raise UserError(f"{shown}: its {CONFIG} is not a JSON object; fetch it again")
    return config


def _number(config: Mapping[str, Any], name: str, shown: str) -> int:
    value = config.get(name)
    if type(value) is not int or value < 0:
        raise UserError(f"{shown}: {name} in its {CONFIG} is not a number of at least 0; fetch it again")
    return value
