"""Which failures are alike: of one type and one message, without what differs from file to file. Pure.

Taken out are the file's own name, numbers, paths, and what stands in quotes, such as a record or a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from virnucpro_bus.text import visible
from workers.inputs.names import stem_of_name

MAX_KINDS_NAMED = 10
_QUOTED = r"(?<!\w)(?:'[^']*'|\"[^\"]*\"|`[^`]*`)"
_PATH = r"(?<![\w/])/[^\s:,;]+"
_NUMBER = r"0[xX][0-9a-fA-F]+|\d+"
# Compiled at the first failure: most runs have none, and start sooner.
_DIFFERENT = f"{_QUOTED}|{_PATH}|{_NUMBER}"
_OF_SIZE = (
    r"(?i)out of memory|outofmemory|memoryerror|fit into the memory|cannot allocate|bad_alloc|resource_exhausted"
    r"|timed? ?out|\bkilled\b|(?-i:\bSIG[A-Z0-9]{2,6}\b)|segmentation fault"
)
"""Of a reason that the size of a file may be behind."""


def kind_of(reason: str, file: str) -> str:
    """Return what a failure has in common with those like it. `reason` is that of the file with this id."""
    base = file.rpartition("/")[2] or file
    for name in (file, base, stem_of_name(base)):
        if name and (shown := visible(name)) in reason:
            reason = _without(shown, reason)
    return re.sub(_DIFFERENT, "*", reason)


def _without(name: str, text: str) -> str:
    """Return `text` with "*" in place of `name`, where that is not part of a longer word."""
    parts, start = [], 0
    while (at := text.find(name, start)) >= 0:
        end = at + len(name)
        is_word = not text[:at][-1:].isalnum() and not text[end : end + 1].isalnum()
        parts += [text[start:at], "*" if is_word else name]
        start = end
    return "".join([*parts, text[start:]])


def may_be_of_size(reason: str) -> bool:
    """Whether a failure may be due to the size of its file: too little memory or time, or a signal."""
    return re.search(_OF_SIZE, reason) is not None


def group_by_kind(reasons: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the files that have failed alike, in the order of the first ones. `reasons` are those by file id."""
    groups: dict[str, list[str]] = {}
    for file, reason in reasons:
        groups.setdefault(kind_of(reason, file), []).append(file)
    return list(groups.values())


class FailureLines:
    """Chooses the failed attempts that the user gets a line about: the first of each kind, of ten kinds."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()

    def choose(self, kind: str, describe: Callable[[], str]) -> str | None:
        """Return the line about a failure of this kind, usually what `describe` returns; None: none."""
        if kind in self._kinds or len(self._kinds) > MAX_KINDS_NAMED:
            return None
        self._kinds.add(kind)
        if len(self._kinds) > MAX_KINDS_NAMED:
            return "attempts fail in more ways, which are not named here"
        return describe()
