"""How `monitor` and `replay` draw a fleet, and what the keys do meanwhile."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from monitor.cli.display import Displayable, DisplayOptions, Driver
from monitor.dashboard import LoadBalancingDashboard
from monitor.run_logs import RunLogs
from monitor.terminal.keys import Key, Keys
from virnucpro_bus.clock import Clock
from virnucpro_bus.system.keyboard import Keyboard, is_interactive, read_forwarded
from virnucpro_bus.system.standard_streams import abandon_output

VIEW_KEYS = "? help  n p page  s sort  enter device  f files  l logs  e effect"
"""The keys that move the view, as the screen lists them."""
_STANDARD_INPUT = 0


def draw(
    driver: Driver,
    fleet: Displayable,
    clock: Clock,
    options: DisplayOptions,
    title: Callable[[], str],
    stopped: Callable[[], object],
) -> bool:
    """Show a dashboard of `fleet` until its run is over or `stopped()`. Returns whether the terminal is restored.

    `title` returns the name on screen, as it is at present. Keys turn the pages, change the order and quit, if
    there is a keyboard. Raises OSError at the end when lines could not be written, but not for a run, which
    reports it itself.
    """
    if options.group is not None:
        # With `stty tostop` this signal would stop a process that draws in the background.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with (
        make_dashboard(fleet, options, clock, _usable_keys(options.group)) as dashboard,
        _keyboard(options.group) as pressed,
    ):
        updating = _with_news(driver, dashboard, fleet, title, options.title)

        def stopped_by_key() -> object:
            for key in pressed():
                dashboard.press(key)
            # The run itself decides when its monitor ends.
            return stopped() or (options.group is None and dashboard.has_quit)

        updating(stopped_by_key)
    if options.group is not None:
        abandon_output()
        return dashboard.is_terminal_restored
    if dashboard.write_error is not None:
        raise dashboard.write_error
    return True


def draw_once(fleet: Displayable, options: DisplayOptions) -> None:
    """Print the whole table of `fleet` as it is now, and log it. Raises OSError as `draw` does."""
    try:
        make_dashboard(fleet, options).show_once()
    except OSError:
        if options.group is None:
            raise
    if options.group is not None:
        abandon_output()


def make_dashboard(
    fleet: Displayable, options: DisplayOptions, clock: Clock | None = None, keys: str = ""
) -> LoadBalancingDashboard:
    """Make a dashboard of `fleet`. `clock` and `keys` are as for LoadBalancingDashboard."""
    return LoadBalancingDashboard(
        fleet,
        fleet,
        options.interval_seconds,
        options.log_file,
        clock=clock,
        title=options.title,
        draw=options.draw,
        look=options.view,
        log_rotate_bytes=options.log_rotate_bytes,
        group=options.group,
        keys=keys,
        hint=options.hint,
        line_interval=options.line_seconds,
        logs=RunLogs(options.run_dirs),
    )


def has_keyboard() -> bool:
    """Whether pictures are shown on a terminal that a user can type on."""
    if not sys.stdout.isatty():
        return False
    from rich.console import Console

    from monitor.terminal.screen import is_screen

    return is_screen(Console()) and is_interactive(_STANDARD_INPUT)


def _usable_keys(group: int | None) -> str:
    """The keys that the screen lists, if any can be typed; `group` is as for DisplayOptions."""
    if group is not None:
        return VIEW_KEYS if stat.S_ISFIFO(os.fstat(_STANDARD_INPUT).st_mode) else ""
    return f"{VIEW_KEYS}  q quit" if has_keyboard() else ""


@contextmanager
def _keyboard(group: int | None) -> Iterator[Callable[[], list[Key]]]:
    """Give a function that returns the keys typed since its last call; `group` is as for DisplayOptions."""
    if group is not None:
        os.set_blocking(_STANDARD_INPUT, False)
        keys = Keys(partial(read_forwarded, _STANDARD_INPUT))
        yield keys.pressed
    elif has_keyboard():
        with Keyboard(_STANDARD_INPUT) as keyboard:
            yield Keys(keyboard.typed).pressed
    else:
        yield list


def _with_news(
    driver: Driver,
    dashboard: LoadBalancingDashboard,
    fleet: Displayable,
    title: Callable[[], str],
    shown: str,
) -> Driver:
    """Return a driver that also updates `dashboard` at once for what a user should see before the next interval.

    That is another title than `shown`, and that no more files are handed out: it answers a Ctrl-C, and who sees no
    answer would press again.
    """

    def drive(stopped: Callable[[], object]) -> None:
        seen = (shown, fleet.draining_reason)

        def stopped_or_updated() -> object:
            nonlocal seen
            if (now := (title(), fleet.draining_reason)) != seen:
                seen = now
                dashboard.retitle(now[0])
            return stopped()

        driver(stopped_or_updated)

    return drive
