"""The subcommand `replay`, which plays a capture through the dashboard; in a terminal, keys control it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.display import (
    DisplayOptions,
    devices_option,
    json_option,
    once_option,
    show_once,
    watch,
)
from monitor.model.selection import ViewOptions
from monitor.terminal.keys import Key, Keys
from virnucpro_bus.cli.options import (
    PathArgument,
    SecondsArgument,
    columns_option,
    interval_option,
    kinds_option,
    line_interval_option,
    sort_option,
)
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.run_folder import capture_path
from virnucpro_bus.sources.replay import FASTEST_RATE, SLOWEST_RATE, Replay
from virnucpro_bus.system.console import say
from virnucpro_bus.system.keyboard import Keyboard
from virnucpro_bus.system.signals import SignalFlag

if TYPE_CHECKING:
    from virnucpro_bus.sources.playback import Playback

SKIP_SECONDS = 10.0
"""How far an arrow key moves."""
LONGEST_SECONDS = 1e9
_POSITION = SecondsArgument(0, LONGEST_SECONDS)


def _parse_rate(context: click.Context, parameter: click.Parameter, value: str) -> float | None:
    if value == "max":
        return None
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not SLOWEST_RATE <= rate <= FASTEST_RATE:
        raise click.BadParameter(f"expected a number from {SLOWEST_RATE:g} to {FASTEST_RATE:.0f}, or max")
    return rate


@click.command
@click.argument("capture", type=PathArgument(path_type=Path))
@click.option("--rate", default="1", show_default=True, callback=_parse_rate, metavar="X|max",
              help="Recorded seconds to play per second; max: as fast as possible.")  # fmt: skip
@click.option("--from", "from_seconds", type=_POSITION, default=0.0, metavar="S",
              help="Start S seconds after the start of the recording (default: 0).")  # fmt: skip
@click.option("--until", "until_seconds", type=_POSITION, metavar="S",
              help="Stop S seconds after the start of the recording (default: at its end).")  # fmt: skip
@kinds_option
@click.option("--loop", is_flag=True, help="Start over at the end.")
@click.option("--start-paused", is_flag=True, help="Pause at the start, until space is pressed.")
@click.option("--serve", "address", metavar="tcp://HOST:PORT",
              help="Show nothing; serve the run at this address, where any monitor can watch it as if it were "
              "live.")  # fmt: skip
@once_option
@json_option
@interval_option
@line_interval_option
@devices_option
@columns_option
@sort_option
def replay(
    capture: Path,
    rate: float | None,
    from_seconds: float,
    until_seconds: float | None,
    kinds: frozenset[str] | None,
    loop: bool,
    start_paused: bool,
    address: str | None,
    once: bool,
    as_json: bool,
    interval_seconds: float,
    line_seconds: float,
    devices: frozenset[str] | None,
    columns: tuple[str, ...] | None,
    sort: str,
) -> int:
    """Play CAPTURE (a run.vbus file, or a run folder) through the dashboard, as it was live.

    In a terminal: space pauses and resumes, the right and left arrow move 10 s, + and - double and halve the rate,
    ? lists the other keys, which are those of monitor; q quits. The figures are exact at every position. A run
    whose end is not recorded, and that is not in progress, ends at its last event.

    \b
    Examples:
      virnucpro-bus replay first-run --rate 10
      virnucpro-bus replay first-run --from 3600 --start-paused
      virnucpro-bus replay first-run/run.vbus --once --json      the state at the end
      virnucpro-bus replay first-run --serve tcp://127.0.0.1:5599
    """
    if until_seconds is not None and until_seconds < from_seconds:
        raise click.UsageError("--until is before --from: give it a later time")
    path = capture_path(capture)
    if address is not None:
        if once or as_json or loop or start_paused or kinds is not None:
            raise click.UsageError("--serve plays the whole capture: use it with --rate, --from and --until only")
        from monitor.cli.serve_replay import serve_replay

        clock = SystemClock()
        served = Replay(path, clock, rate, from_seconds=from_seconds, until_seconds=until_seconds)
        return serve_replay(served, address, clock)
    from virnucpro_bus.sources.playback import Playback

    options = DisplayOptions(
        view=ViewOptions(sort, devices=devices, columns=columns),
        once=once,
        as_json=as_json,
        interval_seconds=interval_seconds,
        line_seconds=line_seconds,
        run_dirs=(path.parent,),
    )
    if once or rate is None:
        if loop or start_paused:
            raise click.UsageError("--loop and --start-paused need a rate: leave out --once and --rate max")
        if until_seconds is None and kinds is None:
            from virnucpro_bus.sources.recording import load_fold

            folded = load_fold(path, SystemClock(), interval_seconds=interval_seconds)
            fleet, note, position = folded.fleet, folded.ending_note, "end"
        else:
            played = Replay(path, SystemClock(), None, until_seconds=until_seconds)
            playback = Playback(played, kinds, interval_seconds)
            playback.run(lambda: False)
            fleet, note = playback.fleet, playback.ending_note
            position = "end" if until_seconds is None else f"at {until_seconds:g} s"
        show_once(fleet, replace(options, title=f"{path} ({position})"))
        _report_ending(note, path)
        return 0
    from monitor.cli.drawing import has_keyboard

    with_keys = not as_json and has_keyboard()
    if start_paused and not with_keys:
        raise click.UsageError("--start-paused needs a terminal with a keyboard: without keys it cannot resume")
    played = Replay(
        path,
        SystemClock(),
        rate,
        from_seconds=from_seconds,
        until_seconds=until_seconds,
        loop=loop,
        paused=start_paused,
    )
    playback = Playback(played, kinds, interval_seconds)
    playback.catch_up()
    if with_keys:
        status = _play_with_keys(playback, str(path), options)
    else:
        status = watch(playback.run, playback.fleet, played, replace(options, title=_title(str(path), played)))
    _report_ending(playback.ending_note, path)
    return status


def _report_ending(note: str | None, path: Path) -> None:
    if note is not None:
        say(f"{path}: {note}")


def _play_with_keys(playback: Playback, name: str, options: DisplayOptions) -> int:
    from monitor.cli.drawing import VIEW_KEYS, make_dashboard

    replay = playback.replay
    with (
        SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT) as signals,
        make_dashboard(
            playback.fleet,
            replace(options, title=_title(name, replay)),
            replay,
            f"space pause  <- -> skip 10 s  + - rate  {VIEW_KEYS}  q quit",
        ) as dashboard,
        Keyboard(sys.stdin.fileno()) as keyboard,
    ):
        pressed = Keys(keyboard.typed).pressed
        controls = Controls(replay, pressed, lambda: dashboard.retitle(_title(name, replay)), dashboard.press)

        def stopped() -> object:
            controls.handle_keys()
            return signals.signal or dashboard.has_quit

        playback.run(stopped)
    return 128 + signals.signal if signals.signal else 0


def _title(name: str, replay: Replay) -> str:
    return f"{name} at {replay.rate:g} x{' (paused)' if replay.paused else ''}"


class Controls:
    """Controls a replay by keys."""

    def __init__(
        self,
        replay: Replay,
        pressed: Callable[[], list[Key]],
        show: Callable[[], object],
        move_view: Callable[[Key], object],
    ) -> None:
        """`pressed` returns the keys since its last call.

        `show` is called after a change, once the fold has caught up with it; `move_view` gets the keys that only
        concern the view.
        """
        self._replay = replay
        self._pressed = pressed
        self._show = show
        self._move_view = move_view
        self._changed = False

    def handle_keys(self) -> None:
        """Do what the keys ask for, before each step of the replay."""
        if self._changed and not self._replay.catching_up:
            self._changed = False
            self._show()
        for key in self._pressed():
            self._changed = True
            match key:
                case Key.PAUSE:
                    self._replay.pause()
                case Key.FORWARD:
                    self._replay.skip(SKIP_SECONDS)
                case Key.BACK:
                    self._replay.skip(-SKIP_SECONDS)
                case Key.FASTER:
                    self._replay.change_rate(2)
                case Key.SLOWER:
                    self._replay.change_rate(0.5)
                case _:
                    self._move_view(key)
