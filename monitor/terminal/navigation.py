"""The view of a dashboard, moved by keys; until one is pressed the pages turn by themselves. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from monitor.model.selection import SORTS, ViewOptions
from monitor.terminal.keys import Key

PICTURES_A_PAGE = 5
"""After so many pictures the next page is shown."""


@dataclass(frozen=True)
class Navigation:
    """The view that is shown, and when its page turns by itself."""

    options: ViewOptions = field(default_factory=ViewOptions)
    by_hand: bool = False
    """Whether a key was pressed: pages do not turn by themselves from then on."""
    pictures: int = 0
    """How many pictures of this page were shown."""

    def pressed(self, key: Key) -> Navigation:
        """Return the navigation after `key`; keys that concern neither page nor order change nothing."""
        options = self.options
        match key:
            case Key.NEXT_PAGE:
                options = replace(options, page=options.page + 1)
            case Key.PREVIOUS_PAGE:
                options = replace(options, page=options.page - 1)
            case Key.SORT:
                following = (SORTS.index(options.sort) + 1) % len(SORTS)
                options = replace(options, sort=SORTS[following], page=0)
            case _:
                return self
        return Navigation(options, by_hand=True)

    def after_picture(self, pages: int) -> Navigation:
        """Return the navigation after a picture of one of `pages` pages was shown."""
        if self.by_hand or pages <= 1:
            return self
        if self.pictures + 1 < PICTURES_A_PAGE:
            return replace(self, pictures=self.pictures + 1)
        return Navigation(replace(self.options, page=(self.options.page + 1) % pages))
