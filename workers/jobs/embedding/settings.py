"""The options of the job "embed": checked before the run, without loading a framework or the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.jobs.embedding.model_files import ESM_MAX_LENGTH, ModelFiles, ModelKind, find_model

POOLS = ("mean", "mean-all", "cls")
DTYPES = ("auto", "float32", "float16", "bfloat16")
FORMATS = ("npz", "pt")

_MAX_NUMBER = 1 << 40


@dataclass(frozen=True)
class Settings:
    """What an `Embedder` is made from."""

    model: ModelFiles
    pool: str
    """"mean": of the tokens of the sequence; "mean-all": of the special ones too; "cls": the first one alone."""
    layer: int
    """0: the embeddings of the tokens; N: after layer N, from 1 to the number of layers."""
    dtype: str
    """"auto": float16 on a GPU, float32 on a CPU."""
    tokens: int | None
    """How many tokens of padded sequences are computed at a time; None: by the memory of the device."""
    max_length: int | None
    """Tokens that are read of a sequence, without special ones; None: all."""


def settings_of(options: Mapping[str, str], job: str = "embed") -> Settings:
    """Return the settings that `options` of `job` stand for; those that do not concern a model are ignored.

    Raises UserError for a value that is not one of the option's, and for a model that cannot be read.
    """
    pool = _one_of(POOLS, "pool", options, job)
    dtype = _one_of(DTYPES, "dtype", options, job) or "auto"
    tokens = None
    if options.get("tokens", "auto") != "auto":
        tokens = _count("tokens", options["tokens"], job, "auto or a whole number of tokens, at least 1")
    max_length = None
    if "max-length" in options:
        max_length = _count("max-length", options["max-length"], job, "a whole number of tokens, at least 1")
    model = find_model(options["model"])
    return Settings(
        model=model,
        pool=pool or ("mean" if model.kind.is_esm else "mean-all"),
        layer=_layer(options.get("layer", "-1"), model, job),
        dtype=dtype,
        tokens=tokens,
        max_length=_max_length(max_length, model, job),
    )


def format_of(options: Mapping[str, str], settings: Settings) -> str:
    """Return the format of the results. Raises UserError if it is none, or not one for the model of `settings`."""
    form = _one_of(FORMATS, "format", options, "embed") or FORMATS[0]
    if form == "pt" and settings.model.kind is ModelKind.BERT:
        raise UserError("option format=pt of job embed is how VirNucPro keeps those of ESM and DNABERT; use npz")
    return form


def _one_of(values: tuple[str, ...], name: str, options: Mapping[str, str], job: str) -> str | None:
    given = options.get(name)
    if given is not None and given not in values:
        raise UserError(
            f"option {name} of job {job} must be {', '.join(values[:-1])} or {values[-1]}, not '{visible(given)}'"
        )
    return given


def _count(name: str, given: str, job: str, expected: str) -> int:
    if given.isascii() and given.isdecimal() and len(given) < 19 and 1 <= int(given) <= _MAX_NUMBER:
        return int(given)
    raise UserError(f"option {name} of job {job} must be {expected}, not '{visible(given)}'")


def _layer(given: str, model: ModelFiles, job: str) -> int:
    digits = given.removeprefix("-")
    if digits.isascii() and digits.isdecimal() and len(digits) < 19:
        layer = int(given)
        if layer < 0:
            layer += model.layers + 1
        if 0 <= layer <= model.layers:
            return layer
    raise UserError(
        f"option layer of job {job} must be a whole number from {-model.layers - 1} to {model.layers}, "
        f"not '{visible(given)}': {visible(model.path.name)} has {model.layers} layers"
    )


def _max_length(given: int | None, model: ModelFiles, job: str) -> int | None:
    if given is None:
        # ESM-2's own positions have no end, but it has seen none beyond this.
        return ESM_MAX_LENGTH if model.limit is None and model.kind.is_esm else model.limit
    if model.limit is not None and given > model.limit:
        raise UserError(
            f"option max-length of job {job} must be at most {model.limit}, not {given}: "
            f"{visible(model.path.name)} has no positions beyond that"
        )
    return given
