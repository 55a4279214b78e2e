"""The view of a dashboard, moved by keys; until one is pressed the pages turn by themselves. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from monitor.model.selection import ScreenKind, ViewOptions
from monitor.model.view_model import DeviceKey
from monitor.terminal.keys import Key
from virnucpro_bus.display_names import SORTS

PICTURES_A_PAGE = 5
"""After so many pictures the next page is shown."""
_SCREENS = {
    Key.HELP: ScreenKind.HELP,
    Key.FILES: ScreenKind.FILES,
    Key.LOGS: ScreenKind.LOGS,
    Key.EFFECT: ScreenKind.EFFECT,
}
_STEPS = {Key.UP: -1, Key.DOWN: 1}


@dataclass(frozen=True)
class Navigation:
    """The view that is shown, and when its page turns by itself."""

    options: ViewOptions = field(default_factory=ViewOptions)
    by_hand: bool = False
    """Whether a key was pressed: pages do not turn by themselves from then on."""
    pictures: int = 0
    """How many pictures of this page were shown."""
    has_quit: bool = False
    """Whether the user wants to leave the dashboard."""

    def pressed(self, key: Key, devices: Sequence[DeviceKey] = ()) -> Navigation:
        """Return the navigation after `key`; keys that concern no view change nothing.

        `devices` are those that can be chosen, in the order in which they are shown.
        """
        options, has_quit = self.options, self.has_quit
        match key:
            case Key.HELP | Key.FILES | Key.LOGS | Key.EFFECT:
                options = _opened(options, _SCREENS[key])
            case Key.OPEN:
                chosen = options.chosen or _stepped(None, devices, 1)
                options = (
                    options if chosen is None else replace(_opened(options, ScreenKind.DEVICE), chosen=chosen)
                )
            case Key.UP | Key.DOWN if options.screen in (ScreenKind.OVERVIEW, ScreenKind.DEVICE):
                options = replace(options, chosen=_stepped(options.chosen, devices, _STEPS[key]))
            case Key.NEXT_PAGE | Key.DOWN:
                options = _paged(options, 1)
            case Key.PREVIOUS_PAGE | Key.UP:
                options = _paged(options, -1)
            case Key.SORT:
                following = (SORTS.index(options.sort) + 1) % len(SORTS)
                options = replace(options, sort=SORTS[following], page=0)
            case Key.ESCAPE | Key.QUIT if options.screen is not ScreenKind.OVERVIEW:
                options = _opened(options, ScreenKind.OVERVIEW)
            case Key.ESCAPE:
                options = replace(options, chosen=None)
            case Key.QUIT:
                has_quit = True
            case _:
                return self
        return Navigation(options, by_hand=True, has_quit=has_quit)

    def after_picture(self, pages: int) -> Navigation:
        """Return the navigation after a picture of one of `pages` pages was shown."""
        if self.by_hand or pages <= 1:
            return self
        if self.pictures + 1 < PICTURES_A_PAGE:
            return replace(self, pictures=self.pictures + 1)
        return Navigation(replace(self.options, page=(self.options.page + 1) % pages))


def _opened(options: ViewOptions, screen: ScreenKind) -> ViewOptions:
    """Open `screen` at its first page; the key of the present one leads back."""
    return replace(options, screen=ScreenKind.OVERVIEW if screen is options.screen else screen, page=0)


def _paged(options: ViewOptions, step: int) -> ViewOptions:
    """Turn the page; in the overview it is no longer that of the chosen device."""
    chosen = None if options.screen is ScreenKind.OVERVIEW else options.chosen
    return replace(options, page=options.page + step, chosen=chosen)


def _stepped(chosen: DeviceKey | None, devices: Sequence[DeviceKey], step: int) -> DeviceKey | None:
    """The device after or before the chosen one; without one the first or the last."""
    if not devices:
        return chosen
    if chosen not in devices:
        return devices[0 if step > 0 else -1]
    return devices[(devices.index(chosen) + step) % len(devices)]
