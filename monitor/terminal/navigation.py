"""How the view of a dashboard is moved: by keys, and until one is pressed, page after page by itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from monitor.model.selection import SORTS, ViewOptions
from monitor.terminal.keys import Key

PICTURES_A_PAGE = 5
"""After so many pictures of a page the next one comes."""


@dataclass(frozen=True)
class Navigation:
    """The options that is shown, and when it changes by itself."""

    options: ViewOptions = field(default_factory=ViewOptions)
    by_hand: bool = False
    """Whether a key has been pressed: nothing moves by itself from then on."""
    pictures: int = 0
    """Of this page, so far."""

    def pressed(self, key: Key) -> Navigation:
        """After a key; others than those for pages and order change nothing."""
        options = self.options
        match key:
            case Key.NEXT_PAGE:
                options = replace(options, page=options.page + 1)
            case Key.PREVIOUS_PAGE:
                options = replace(options, page=options.page - 1)
            case Key.SORT:
                after = (SORTS.index(options.sort) + 1) % len(SORTS)
                options = replace(options, sort=SORTS[after], page=0)
            case _:
                return self
        return Navigation(options, by_hand=True)

    def after_picture(self, pages: int) -> Navigation:
        """After a new picture was shown of a view that has so many pages."""
        if self.by_hand or pages <= 1:
            return self
        if self.pictures + 1 < PICTURES_A_PAGE:
            return replace(self, pictures=self.pictures + 1)
        return Navigation(replace(self.options, page=(self.options.page + 1) % pages))
