"""Suggests the name that a user may have meant."""

from __future__ import annotations

from collections.abc import Iterable

from virnucpro_bus.text import visible


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return " (did you mean NAME?)" with the known name that is most like `given`; "" if none is like it."""
    from difflib import get_close_matches  # not for those who make no mistake

    names = {name.lower(): name for name in known}
    closest = get_close_matches(given[:100].lower(), names, n=1)
    return f" (did you mean {visible(names[closest[0]])}?)" if closest else ""
