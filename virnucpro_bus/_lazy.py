"""The public names of a package, each imported on first use.

A worker needs few of them, and its GPU idles until it is up: importing them all would double its start time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def lazily(package: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """Return the `__getattr__` for `package` that imports `names`, a list of names per module."""
    homes = {name: module for module, listed in names.items() for name in listed}

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return find
