"""Names that a package hands out, each imported when it is first asked for.

A worker is waited for, and needs few of them: importing all that can be asked for takes as long again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def lazily(package: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """The `__getattr__` of a package, which finds `names` in its modules, by which they are listed."""
    homes = {name: module for module, its in names.items() for name in its}

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return find
