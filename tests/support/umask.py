"""A umask for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def umask(bits: int) -> Iterator[None]:
    """Give this process another umask until the end of the block."""
    before = os.umask(bits)
    try:
        yield
    finally:
        os.umask(before)
