"""A classifier's file as it is known before a run, without a framework: its suffix, and of safetensors the width.

A safetensors file begins with a length, 8 bytes, and so many bytes of JSON: the shape of each tensor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible

SAFETENSORS_SUFFIX = ".safetensors"
PICKLE_SUFFIXES = (".pth", ".pt")
_MAX_HEADER_BYTES = 1 << 20
"""That of a classifier has some hundred."""


class _Tensor(msgspec.Struct):
    """The header's entry of one tensor."""

    shape: tuple[Annotated[int, Meta(ge=0)], ...]


def check_classifier_file(path: Path) -> int | None:
    """Return how many features the classifier in a file takes; None: only reading the whole file would show it.

    Raises UserError where it cannot be one.
    """
    shown = visible(str(path))
    if path.suffix not in (SAFETENSORS_SUFFIX, *PICKLE_SUFFIXES):
        raise UserError(
            f"{shown}: is not a classifier's file by its name; give VirNucPro's .pth file, or .safetensors"
        )
    try:
        with path.open("rb") as file:
            if path.suffix != SAFETENSORS_SUFFIX:
                return None
            size_bytes = int.from_bytes(file.read(8), "little")
            header = file.read(min(size_bytes, _MAX_HEADER_BYTES))
    except OSError as error:
        raise UserError(f"{shown}: cannot be read: {error.strerror}; give the classifier's file") from error
    try:
        entries: dict[str, Any] = msgspec.json.decode(header, type=dict[str, Any])
        shape = msgspec.convert(entries["hidden_layer.weight"], type=_Tensor).shape
        _, width = shape
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, ValueError) as error:
        raise UserError(f"{shown}: does not hold VirNucPro's classifier: it has no hidden_layer.weight") from error
    return width
