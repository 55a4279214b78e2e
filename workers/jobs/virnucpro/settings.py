"""The options of the job "virnucpro": checked before the run, without loading a framework or a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.jobs.embedding import settings as embedding
from workers.jobs.embedding.model_files import ModelKind
from workers.jobs.sixframe import chunk_option
from workers.jobs.virnucpro.classifier_file import check_classifier_file

JOB = "virnucpro"
KEEP_EMBEDDINGS = "embeddings"


@dataclass(frozen=True)
class Settings:
    """What the job is made from."""

    dnabert: embedding.Settings
    esm: embedding.Settings
    classifier: Path
    chunk: int
    """Bases."""
    keeps_embeddings: bool

    def check_widths(self, dnabert: int, esm: int, classifier: int) -> None:
        """Raise UserError unless the classifier takes as many features as both models make together."""
        if dnabert + esm != classifier:
            raise UserError(
                f"{visible(str(self.classifier))}: takes {classifier} features, but {_name(self.dnabert)} and "
                f"{_name(self.esm)} make {dnabert} + {esm} = {dnabert + esm}; give the models it was trained with"
            )


def settings_of(options: Mapping[str, str]) -> Settings:
    """Return the settings that `options` stand for. Raises UserError where they cannot be right."""
    keep = options.get("keep")
    if keep not in (None, KEEP_EMBEDDINGS):
        raise UserError(f"option keep of job {JOB} must be {KEEP_EMBEDDINGS}, not '{visible(keep)}'")
    settings = Settings(
        dnabert=_model_of(options, "dnabert", [ModelKind.DNABERT]),
        esm=_model_of(options, "esm", [ModelKind.ESM, ModelKind.FAIR_ESM]),
        classifier=Path(options["classifier"]).expanduser(),
        chunk=chunk_option(options, JOB),
        keeps_embeddings=keep is not None,
    )
    classifier = check_classifier_file(settings.classifier)
    dnabert, esm = (each.model.config.get("hidden_size") for each in (settings.dnabert, settings.esm))
    # The others are known only once they are loaded.
    if dnabert is not None and esm is not None and classifier is not None:
        settings.check_widths(dnabert, esm, classifier)
    return settings


def _model_of(options: Mapping[str, str], name: str, kinds: list[ModelKind]) -> embedding.Settings:
    """Return the settings of the model that an option names, which must be of one of `kinds`."""
    of_models = {key: value for key, value in options.items() if key in ("dtype", "tokens")}
    settings = embedding.settings_of({**of_models, "model": options[name]}, JOB)
    if settings.model.kind not in kinds:
        raise UserError(
            f"option {name} of job {JOB} must be a model of the kind {kinds[0]}; "
            f"{visible(options[name])} is of the kind {settings.model.kind}"
        )
    return settings


def _name(model: embedding.Settings) -> str:
    return visible(model.model.path.name)
