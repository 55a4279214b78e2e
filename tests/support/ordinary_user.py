"""A folder of a user who is not root: root may do everything, whatever the permissions are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

NOBODY = 65534


@contextmanager
def ordinary_user() -> Iterator[Path]:
    """An empty folder, in which this process acts as an ordinary user meanwhile."""
    # Not below pytest's own folder, which others than root may not enter.
    with TemporaryDirectory() as name:
        was_root = os.geteuid() == 0
        if was_root:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            if was_root:
                os.seteuid(0)
