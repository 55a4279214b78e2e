"""The source of a module that a worker would import."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path


def read_source(module: str) -> bytes | None:
    """Return the source of a user's module, whose name may have dots; None: unknown.

    Imports nothing. It looks where a worker will: in the current folder first, and not in the folder of the
    command, which is on the import path of the launcher alone.
    """
    folders: Sequence[str] | None = [os.getcwd(), *(sys.path if sys.flags.safe_path else sys.path[1:])]
    try:
        found, name = None, ""
        for part in module.split("."):
            if folders is None:
                return None
            name = f"{name}.{part}" if name else part
            if (found := PathFinder.find_spec(name, folders)) is None:
                return None
            folders = None if (inside := found.submodule_search_locations) is None else list(inside)
        return None if found is None or found.origin is None else Path(found.origin).read_bytes()
    except (OSError, ImportError, ValueError, KeyError):
        return None


def may_mention(module: str, word: str) -> bool:
    """Whether the source of a user's module may contain `word`; False only if the text is there and does not."""
    source = read_source(module)
    return source is None or word.encode() in source
