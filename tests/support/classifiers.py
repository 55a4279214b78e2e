"""VirNucPro's classifier as upstream defines it and saves it, with random weights. Imports torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from tests.support.tiny_models import make_dnabert, make_esm


class MLPClassifier(nn.Module):
    """What upstream's scripts define in `__main__`."""

    def __init__(self, input_dim: int, hidden_dim: int, num_class: int) -> None:
        super().__init__()
        self.hidden_layer = nn.Linear(input_dim, hidden_dim)
        self.bn1 = nn.BatchNorm1d(hidden_dim)
        self.output_layer = nn.Linear(hidden_dim, num_class)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = functional.relu(self.bn1(self.hidden_layer(x)))
        logits: torch.Tensor = self.output_layer(self.dropout(hidden))
        return logits


def make_classifier(width: int, *, seed: int = 0) -> MLPClassifier:
    """Return one that has seen features, so that its batch normalisation is not that of a new one."""
    torch.manual_seed(seed)
    classifier = MLPClassifier(width, 8, 2)
    for _ in range(5):
        classifier(torch.randn(32, width) * 0.3 + 0.1)
    classifier.eval()
    return classifier


def save_as_upstream(classifier: nn.Module, path: Path, module: str = "__main__") -> None:
    """Save the whole module as a pickle, in which its class is one of the module called `module`."""
    place = ModuleType(module)
    place.MLPClassifier = MLPClassifier  # type: ignore[attr-defined]
    names = module.split(".")
    modules = {".".join(names[: depth + 1]): place for depth in range(len(names))}
    with patch.dict(sys.modules, modules), patch.object(MLPClassifier, "__module__", module):
        torch.save(classifier, path)


def make_virnucpro(folder: Path, suffix: str = ".safetensors") -> dict[str, str]:
    """Make all models of the job "virnucpro", tiny ones; return the options that name them."""
    models = {"esm": make_esm(folder / "esm2_tiny"), "dnabert": make_dnabert(folder / "DNABERT-S")}
    configs = [json.loads((model / "config.json").read_text()) for model in models.values()]
    classifier = folder / f"classifier{suffix}"
    made = make_classifier(sum(config["hidden_size"] for config in configs))
    if suffix == ".safetensors":
        save_file(made.state_dict(), classifier)
    else:
        save_as_upstream(made, classifier)
    return {name: str(path) for name, path in {**models, "classifier": classifier}.items()}
