"""Models loaded from local files: nothing is downloaded, and no code that comes with a model is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

# Read when transformers is imported, and before each request.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from safetensors.torch import load_file

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import text_of, visible
from workers.jobs.embedding.fair_esm import ALPHABET, read_fair_esm
from workers.jobs.embedding.model_files import CONFIG, ModelFiles, ModelKind
from workers.jobs.embedding.mosaic import MosaicBert
from workers.jobs.embedding.settings import Settings
from workers.jobs.embedding.vocabulary import LetterVocabulary, TokenizerVocabulary, Vocabulary

_UNUSED = ("pooler.", "contact_head.", "cls.", "lm_head.", "classifier.")
"""Parts of published models that no embedding needs."""
_BASES, _RESIDUES = "ACGTACGTACGT", "MKTAYIAKQRQ"


@dataclass(frozen=True)
class LoadedModel:
    """A model on its device, with its vocabulary. For one thread."""

    vocabulary: Vocabulary
    hidden_states: Callable[[Any, Any], Any]
    """Takes the numbers of tokens, and a mask of 1 for a token and 0 for padding; int64, (sequences, tokens).
    Returns the hidden states of one layer; (sequences, tokens, width)."""
    width: int
    dtype: str
    parameters: int
    """How many weights it has, to which the time for a token is about proportional."""


def load_model(settings: Settings, device: str) -> LoadedModel:
    """Load the model of `settings` to `device`, "cpu" or "cuda:0". Raises UserError if it cannot be loaded."""
    model = settings.model
    dtype = settings.dtype
    if dtype == "auto":
        # float16 is nearer to the float32 that models were trained in than bfloat16: it has three more bits.
        dtype = "float32" if device == "cpu" else "float16"
    # What does not fit is refused below; progress bars do not belong in a worker's log.
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    load = _load_dnabert if model.kind is ModelKind.DNABERT else _load_of_transformers
    try:
        return load(model, settings.layer, device, dtype)
    except torch.OutOfMemoryError as error:
        raise UserError(f"{_shown(model)}: does not fit into the memory of {device}; use dtype=float16") from error
    except UserError as error:
        raise UserError(f"{_shown(model)}: {error}") from error
    except Exception as error:
        # Those of transformers, tokenizers, safetensors and torch have no common base.
        reason = visible(text_of(error).strip().partition("\n")[0][:300])
        raise UserError(f"{_shown(model)}: cannot be loaded: {type(error).__name__}: {reason}") from error


def _load_dnabert(files: ModelFiles, layer: int, device: str, dtype: str) -> LoadedModel:
    vocabulary = TokenizerVocabulary(_tokenizer(files), _BASES)
    # Without memory for weights, which are only then read.
    with torch.device("meta"):
        model = MosaicBert(files.config)
    weights = files.weights[0]
    state = (
        load_file(weights)
        if weights.suffix == ".safetensors"
        else torch.load(weights, map_location="cpu", weights_only=True)
    )
    state = {name.removeprefix("bert."): value for name, value in state.items()}
    needed = model.state_dict()
    missing = [name for name, value in needed.items() if name not in state or state[name].shape != value.shape]
    _refuse_misfits(missing, [name for name in state if name not in needed])
    model.load_state_dict({name: state[name] for name in needed}, assign=True)
    model = model.to(device, getattr(torch, dtype)).eval()
    return LoadedModel(
        vocabulary,
        lambda tokens, mask: model(tokens, mask, layer),
        files.config["hidden_size"],
        dtype,
        _parameters(model),
    )


def _load_of_transformers(files: ModelFiles, layer: int, device: str, dtype: str) -> LoadedModel:
    # Attention is PyTorch's own where the model has that, which is the default.
    how = {
        "dtype": getattr(torch, dtype),
        "local_files_only": True,
        "output_loading_info": True,
    }
    vocabulary: Vocabulary
    if files.kind is ModelKind.FAIR_ESM:
        vocabulary = LetterVocabulary(ALPHABET)
        config, weights = read_fair_esm(files.path)
        model, info = transformers.EsmModel.from_pretrained(
            None, config=config, state_dict=weights, add_pooling_layer=False, **how
        )
    else:
        tokenizer = _tokenizer(files)
        vocabulary = (
            LetterVocabulary(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
            if files.kind is ModelKind.ESM
            else TokenizerVocabulary(tokenizer, _RESIDUES)
        )
        model, info = transformers.AutoModel.from_pretrained(files.path, trust_remote_code=False, **how)
    misfits = [*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])]
    _refuse_misfits(misfits, info["unexpected_keys"])
    model = model.to(device).eval()
    is_last = layer == files.layers

    def hidden_states(tokens: Any, mask: Any) -> Any:
        # All layers are kept in memory only where one below the last is asked for.
        output = model(input_ids=tokens, attention_mask=mask, output_hidden_states=not is_last)
        return output.last_hidden_state if is_last else output.hidden_states[layer]

    return LoadedModel(vocabulary, hidden_states, model.config.hidden_size, dtype, _parameters(model))


def _parameters(model: Any) -> int:
    return sum(each.numel() for each in model.parameters())


def _tokenizer(files: ModelFiles) -> Any:
    return transformers.AutoTokenizer.from_pretrained(files.path, local_files_only=True, trust_remote_code=False)


def _refuse_misfits(missing: Iterable[str], unknown: Iterable[str]) -> None:
    """Raise UserError if a weight that is needed is missing: it would be random."""
    missing = sorted(name for name in missing if not name.startswith(_UNUSED))
    if not missing:
        return
    others = sorted(name for name in unknown if not name.startswith(_UNUSED))
    instead = f", and has {visible(others[0])}" if others else ""
    raise UserError(
        f"its weights do not fit its {CONFIG}: {len(missing)} are missing or of another shape, "
        f"such as {visible(missing[0])}{instead}; fetch it again"
    )


def _shown(model: ModelFiles) -> str:
    return visible(str(model.path))
