"""Where this user's own files are: below the folders of the XDG specification, which a variable may move."""

from __future__ import annotations

import os
from pathlib import Path

from virnucpro_bus.errors import UserError


def config_folder() -> Path:
    """Return the folder of this user's keys. Raises UserError when the home folder is unknown."""
    return _folder("XDG_CONFIG_HOME", ".config", "the keys")


def state_folder() -> Path:
    """Return the folder of what outlives a command, such as the list of runs. Raises UserError likewise."""
    return _folder("XDG_STATE_HOME", ".local/state", "the list of runs")


def _folder(variable: str, in_home: str, content: str) -> Path:
    configured = os.environ.get(variable, "")
    try:
        # The XDG specification requires that a relative path is ignored.
        base = Path(configured) if os.path.isabs(configured) else Path.home() / in_home
    except RuntimeError:
        raise UserError(f"the home folder is unknown; set {variable} to a folder for {content}") from None
    return base / "virnucpro-bus"
