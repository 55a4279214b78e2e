"""What packages add to this one by entry point: objects of one kind, each with a name by which users choose it.

An entry point's module is imported when its object is chosen or listed. That of another package may fail in any
way, which is an error of one line that names the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import text_of, visible

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

OWN_PACKAGE = "virnucpro-bus"
_UNKNOWN = "unknown"

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Plugins(Generic[Kind]):
    """The entry points of one group, which name objects of one class."""

    group: str
    kind: type[Kind]
    prefix: str
    """What stands before a name in an error message, such as "--format"."""

    def installed(self) -> dict[str, EntryPoint]:
        """Return all entry points by name, sorted. No other package replaces one of ours."""
        from importlib.metadata import entry_points  # takes long to load, and most commands choose nothing

        points = sorted(entry_points(group=self.group), key=lambda point: not package_of(point))
        return dict(sorted({point.name: point for point in points}.items()))

    def load(self, point: EntryPoint) -> Kind:
        """Import the object that an entry point names. Raises UserError when it cannot be used."""
        shown = f"{self.prefix} {visible(point.name)}"
        place = visible(f"{package_of(point) or OWN_PACKAGE}, {point.value}")
        try:
            found = point.load()
        except (Exception, SystemExit) as error:  # code of another package
            reason = f"{type(error).__name__}: {text_of(error)}"
            raise UserError(f"{shown}: cannot be imported ({place}): {reason}") from None
        if not isinstance(found, self.kind):
            raise UserError(f"{shown}: must be of {self.kind.__name__}, not of {type(found).__name__} ({place})")
        return found


def package_of(point: EntryPoint) -> str:
    """Return the name of the package that an entry point comes from; "" for ours."""
    name = _UNKNOWN if point.dist is None else point.dist.name or _UNKNOWN
    return "" if name == OWN_PACKAGE else name


def version_of(point: EntryPoint) -> str:
    """Return the version of the package that an entry point comes from; "unknown" where it has none."""
    return _UNKNOWN if point.dist is None else point.dist.version or _UNKNOWN
