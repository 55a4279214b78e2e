"""The public names of a package, each imported on first use.

A worker needs few of them, and its GPU idles until it is up: importing them all would double its start time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def lazily(package: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """Return the `__getattr__` for `package` that imports `names`, a list of names per module.

    It raises AttributeError for other names, and ImportError where a user's module has the name of our package.
    """
    homes = {name: module for module, listed in names.items() for name in listed}

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = import_module(homes[name])
        except ModuleNotFoundError as error:
            raise _hidden(f"{package}.{name}", homes[name]) or error from None
        found: object = getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    return find


def _hidden(name: str, module: str) -> ImportError | None:
    """Return the error that says which module of a user hides our package; None when there is none."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if file is None or os.path.dirname(os.path.dirname(os.path.abspath(file))) == _ROOT:
        return None
    return ImportError(
        f"{name} is in the package '{top}' of virnucpro-bus, which {file} hides; rename that",
        name=module,
        path=file,
    )
