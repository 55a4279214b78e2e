"""How the view of a dashboard is moved: by keys, and until one is pressed, page after page by itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from monitor.model.selection import SORTS, Look
from monitor.terminal.keys import Key

PICTURES_A_PAGE = 5
"""After so many pictures of a page the next one comes."""


@dataclass(frozen=True)
class Steering:
    """The look that is shown, and when it changes by itself."""

    look: Look = field(default_factory=Look)
    by_hand: bool = False
    """Whether a key has been pressed: nothing moves by itself from then on."""
    pictures: int = 0
    """Of this page, so far."""

    def pressed(self, key: Key) -> Steering:
        """After a key; others than those for pages and order change nothing."""
        look = self.look
        match key:
            case Key.NEXT_PAGE:
                look = replace(look, page=look.page + 1)
            case Key.PREVIOUS_PAGE:
                look = replace(look, page=look.page - 1)
            case Key.SORT:
                after = (SORTS.index(look.sort) + 1) % len(SORTS)
                look = replace(look, sort=SORTS[after], page=0)
            case _:
                return self
        return Steering(look, by_hand=True)

    def after_picture(self, pages: int) -> Steering:
        """After a new picture was shown of a view that has so many pages."""
        if self.by_hand or pages <= 1:
            return self
        if self.pictures + 1 < PICTURES_A_PAGE:
            return replace(self, pictures=self.pictures + 1)
        return Steering(replace(self.look, page=(self.look.page + 1) % pages))
