"""What a job needs besides the base install, found without importing it: frameworks take seconds to import."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Requirements:
    """Packages that a job imports, and the command that installs them."""

    packages: tuple[str, ...]
    """The names by which they are imported, without a dot."""
    install: str
    """The command, as a shell takes it."""

    def missing(self) -> list[str]:
        """Return the packages that are not installed here."""
        return [package for package in self.packages if find_spec(package) is None]

    def problem(self) -> str | None:
        """Return what is missing and how to install it, in one line; None: all is installed."""
        missing = self.missing()
        if not missing:
            return None
        *others, last = missing
        names = f"{', '.join(others)} and {last}" if others else last
        return f"needs {names}, which {'are' if others else 'is'} not installed here: {self.install}"


MODELS = Requirements(("torch", "transformers", "safetensors", "numpy"), "pip install 'virnucpro-bus[models]'")
"""What the jobs need that load a language model; the extra of this name in pyproject.toml."""
