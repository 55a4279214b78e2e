"""VirNucPro's classifier, a perceptron with one hidden layer, read from safetensors or from its own .pth file.

Upstream saves the classifier as a pickle of the whole module, which runs what stands in it when it is loaded the
usual way. Here torch reads it with `weights_only`, and the classes that the pickle names are replaced by one that
holds attributes and does nothing: only tensors are taken from it. Imports torch, so for workers alone.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.jobs.virnucpro.classifier_file import SAFETENSORS_SUFFIX

CLASSES = 2
"""Scores of a sequence: not viral, viral."""

_BATCH = 256
"""Sequences scored at a time, as by upstream: a device that is full of models has room for them."""
_REFUSED_GLOBAL = re.compile(r"GLOBAL (\S+)")
"""What torch's message says of a pickle that names what is not allowed."""


class _Pickled:
    """Stands for every module in a pickle: holds what was saved of it, and has no code."""


_ALLOWED: list[Any] = [
    (_Pickled, "__main__.MLPClassifier"),
    (_Pickled, "virnucpro.pipeline.models.MLPClassifier"),
    (_Pickled, "torch.nn.modules.linear.Linear"),
    (_Pickled, "torch.nn.modules.batchnorm.BatchNorm1d"),
    (_Pickled, "torch.nn.modules.dropout.Dropout"),
    OrderedDict,
    set,
]


class Classifier(nn.Module):
    """Scores features: linear, batch normalisation, ReLU, linear. Upstream's dropout is for training alone."""

    def __init__(self, width: int, hidden_width: int) -> None:
        super().__init__()
        self.width = width
        """How many features a sequence has."""
        self.hidden_layer = nn.Linear(width, hidden_width)
        self.bn1 = nn.BatchNorm1d(hidden_width)
        self.output_layer = nn.Linear(hidden_width, CLASSES)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the logits of `features`, float32 of shape (sequences, width), in shape (sequences, 2)."""
        logits: torch.Tensor = self.output_layer(functional.relu(self.bn1(self.hidden_layer(features))))
        return logits

    @torch.inference_mode()
    def score(self, features: Any) -> Any:
        """Return the scores of a NumPy array of features: not viral and viral, which add up to 1.

        Shapes are those of `forward`, both float32. For one thread.
        """
        device = self.hidden_layer.weight.device
        batches = torch.from_numpy(features).split(_BATCH)
        return torch.cat([self(batch.to(device)).softmax(1).cpu() for batch in batches]).numpy()


def read_classifier(path: Path) -> Classifier:
    """Return the classifier in a file, on the CPU. Runs nothing that the file says.

    Raises UserError if it is not one, and for a pickle that names anything else than the classifier's own parts.
    """
    shown = visible(str(path))
    try:
        path.open("rb").close()
        tensors = load_file(path) if path.suffix == SAFETENSORS_SUFFIX else _read_pickle(path)
    except OSError as error:
        raise UserError(f"{shown}: cannot be read: {error.strerror}") from error
    except Exception as error:  # those of torch and safetensors have no common base
        named = _REFUSED_GLOBAL.search(str(error))
        why = f": it names {visible(named[1])[:100]}" if named else ""
        raise UserError(f"{shown}: is not a saved classifier of VirNucPro, and is refused{why}") from error
    try:
        hidden_width, width = tensors["hidden_layer.weight"].shape
        classifier = Classifier(width, hidden_width)
        classifier.load_state_dict(tensors)
    except Exception as error:  # a hostile file may hold anything
        raise UserError(f"{shown}: does not hold the weights of VirNucPro's classifier") from error
    classifier.float().eval()
    return classifier


def _read_pickle(path: Path) -> Mapping[str, Any]:
    """Return the tensors of a pickled classifier, or of its state, by name. Raises any exception."""
    with torch.serialization.safe_globals(_ALLOWED):
        saved = torch.load(path, map_location="cpu", weights_only=True)
    return dict(_tensors(saved, "")) if isinstance(saved, _Pickled) else saved


def _tensors(module: _Pickled, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the parameters and buffers of a pickled module and its parts, named as torch names them."""
    saved = vars(module)
    for name, tensor in (*saved["_parameters"].items(), *saved["_buffers"].items()):
        yield f"{prefix}{name}", tensor
    for name, part in saved["_modules"].items():
        yield from _tensors(part, f"{prefix}{name}.")
