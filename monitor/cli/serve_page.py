"""Serving what a monitor shows as a live page."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from monitor.cli.display import DisplayOptions, selected_report
from virnucpro_bus.errors import UserError
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag

if TYPE_CHECKING:
    from virnucpro_bus.fold.fleet_group import FleetGroup
    from virnucpro_bus.remote.http_address import HttpListen


@contextmanager
def serving_page(
    listen: HttpListen | None, fleets: FleetGroup, options: DisplayOptions, title: Callable[[], str]
) -> Iterator[str]:
    """Serve `fleets` while entered, and print where; gives a line on that for the screen.

    `title` returns the name on the page.

    The line is "" where `listen` is None. Raises UserError when it cannot listen; the monitor of a run prints that
    and continues without a page.
    """
    with ExitStack() as stack:
        line = ""
        if listen is not None:
            from monitor.web.listener import listening

            report = partial(selected_report, fleets, options.view)
            page = listening(
                listen,
                fleets,
                report,
                title=title,
                view=options.view,
                interval_seconds=options.interval_seconds,
            )
            try:
                line = f"live page: {stack.enter_context(page)}"
            except UserError as error:
                if options.group is None:
                    raise
                line = f"there is no live page: {error}"
            # Before anything is drawn; on a screen it stays until the end.
            say(line)
        yield line


def hold_page() -> int:
    """Continue to serve a run that is over, in its last state, until a signal arrives. Returns the exit status."""
    with SignalFlag(*ENDING_SIGNALS) as signals:
        say("the run is over; its page is still served, until you press Ctrl-C")
        while not signals.signal:
            select.select([signals.fileno()], [], [])
    return 128 + signals.signal
