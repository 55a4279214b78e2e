"""Names of records that make results ambiguous: the same name twice in a file, or none."""

from __future__ import annotations

from collections.abc import Sequence

from virnucpro_bus.text import visible

MAX_NAMES = 1 << 18
"""How many names of a file are remembered, in about 30 MB: files with more are reads, which sequencers number."""


class RecordNames:
    """Finds the first record of a file whose name is empty, or equal to an earlier one. Not thread-safe."""

    def __init__(self) -> None:
        self.problem: str | None = None
        """What was found first, in one line; None: nothing. A repetition after `MAX_NAMES` names is not found."""
        self._seen: set[bytes] = set()

    def add(self, names: Sequence[bytes]) -> None:
        """Check the names of the next records."""
        if self.problem is not None:
            return
        new = set(names)
        if len(new) < len(names) or b"" in new or not self._seen.isdisjoint(new):
            self.problem = self._find_problem(names)
        elif len(self._seen) < MAX_NAMES:
            self._seen |= new

    def _find_problem(self, names: Sequence[bytes]) -> str | None:
        for name in names:
            if not name:
                return "a record has no name, so its results cannot be attributed; name each record"
            if name in self._seen:
                shown = visible(name.decode(errors="replace"))[:100]
                return f"several records are named '{shown}', so their results cannot be told apart; rename them"
            self._seen.add(name)
        return None
