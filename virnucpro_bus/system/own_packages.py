"""Our packages are found where this file lies, although a user's module may have the name of one.

`workers` and `monitor` are common names. A module of such a name beside a job, or in a folder of PYTHONPATH, comes
before ours on the import path. So a command claims the names before it imports a subcommand, and a process that
runs a job gives way to the job's modules of these names, once it has imported what it needs of ours.

Imports nothing of ours. As a program it is run by its path, which nothing can hide: `own_program` has the command.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TypeGuard

NAMES = ("virnucpro_bus", "workers", "monitor")
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class _Finder:
    """Finds the top-level modules `names` in `folders`; None: on the import path."""

    def __init__(self, names: Collection[str], folders: Sequence[str] | None) -> None:
        self.names = names
        self.folders = folders

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, self.folders, target) if name in self.names else None


_OURS = _Finder(NAMES, [_ROOT])


def own_program(module: str) -> list[str]:
    """Return the command line that calls the `main` of one of our modules; its arguments may follow.

    -P keeps this file's folder, and the current one, off the import path.
    """
    return [sys.executable, "-P", os.path.abspath(__file__), module]


def claim_names() -> None:
    """Import our packages from here in this process, whatever the import path has of their names."""
    if _OURS not in sys.meta_path:
        sys.meta_path.insert(0, _OURS)


def give_way_to_job() -> None:
    """Let `import` find the modules of our names that the import path has before ours: they are the job's.

    Our modules that are loaded stay in use where they were imported, but cannot be imported any more. A folder
    without __init__.py hides nothing, as always in Python: its modules are found beside ours. Safe to call twice.
    """
    given = {name for finder in sys.meta_path if _is_of_job(finder) for name in finder.names}
    for name in [name for name in NAMES if name not in given]:
        found = PathFinder.find_spec(name)
        if found is not None and found.origin is not None and not _is_ours(found):
            sys.meta_path.insert(0, _Finder([name], None))
            for loaded in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
                del sys.modules[loaded]
        else:
            _add_portions(name)


def _add_portions(name: str) -> None:
    """Have the modules found too that lie in folders called as our package `name`, without an __init__.py."""
    found = PathFinder.find_spec(name, [folder for folder in sys.path if folder != _ROOT])
    if found is not None and found.origin is None:
        path = importlib.import_module(name).__path__
        path.extend(folder for folder in found.submodule_search_locations or () if folder not in path)


def _is_of_job(finder: object) -> TypeGuard[_Finder]:
    return isinstance(finder, _Finder) and finder.folders is None


def _is_ours(spec: ModuleSpec) -> bool:
    return spec.origin == os.path.join(_ROOT, spec.name, "__init__.py")


if __name__ == "__main__":
    claim_names()
    importlib.import_module(sys.argv.pop(1)).main()
