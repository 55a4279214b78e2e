"""Watches runs and calls the user's commands for what happens: an end, a failure, a stall.

A command is run without a shell, one at a time, with what happened in its environment. It reads nothing, and what
it prints is reported line by line once it has ended. A run depends on none.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from time import sleep
from typing import cast

from monitor.attach import FollowedBus
from monitor.scripting.calls import Call, Calls, Kind, Seen, Stall
from monitor.scripting.facts import facts_of
from monitor.scripting.standing import Standing, standing_of
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.health.problems import is_stalled
from virnucpro_bus.health.rows import DeviceWork, device_label
from virnucpro_bus.system.child_process import describe_status
from virnucpro_bus.system.console import say

COMMAND_SECONDS = 60.0
"""How long a command may take."""
OUTPUT_BYTES = 4096
"""How much of what a command prints is reported: its end."""
_POLL_SECONDS = 0.05
Driver = Callable[[Callable[[], object]], None]
"""Follows runs until they are over or the given function, which it calls often, returns true."""


class Hooks:
    """The commands of some runs. For one thread."""

    def __init__(
        self,
        commands: Mapping[Kind, Sequence[str]],
        buses: Sequence[FollowedBus],
        clock: Clock,
        interval_seconds: float,
        *,
        holds_ends: bool = False,
    ) -> None:
        """`commands` are the words of each. What they print, and what is wrong, is printed on stderr, a line each.

        The runs of `buses` are looked at every `interval_seconds`. `holds_ends`: that one is over counts with
        `finish` alone.
        """
        self._commands = commands
        self._buses = buses
        self._clock = clock
        self._holds_ends = holds_ends
        self._interval_ns = round(interval_seconds * NANOSECONDS)
        self._calls = Calls(frozenset(commands))
        self._due_ns = 0
        self._running: _RunningCommand | None = None

    def during(self, driver: Driver) -> Driver:
        """Return `driver`, which follows the runs, with `poll` in it."""

        def drive(stopped: Callable[[], object]) -> None:
            def polled() -> object:
                self.poll()
                return stopped()

            driver(polled)

        return drive if self._commands else driver

    def poll(self) -> None:
        """Look at the runs if that is due, and start or end a command. Never waits."""
        if not self._commands:
            return
        now_ns = self._clock.mono_ns()
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + self._interval_ns
            for bus in self._buses:
                seen = see(bus)
                # Its last events may still arrive.
                if not seen.standing.is_over or not (bus.live or self._holds_ends):
                    self._calls.observe(seen)
        self._advance()

    def finish(self, as_known: Callable[[Standing], Standing] = lambda seen: seen) -> None:
        """Look at runs that are over once more, and return when all that is due was called and has ended.

        `as_known` adds what the caller knows of the end of a run to how it is seen to stand.
        """
        if not self._commands:
            return
        for bus in self._buses:
            seen = see(bus)
            self._calls.observe(replace(seen, standing=as_known(seen.standing)))
        while self._advance():
            sleep(_POLL_SECONDS)

    def _advance(self) -> bool:
        """End the command that has ended, or has taken too long, and start the next one. Whether one runs."""
        if self._running is not None and self._running.has_ended(self._clock.mono_ns()):
            self._running = None
        while self._running is None and (call := self._calls.next_call()) is not None:
            self._running = self._start(call)
        return self._running is not None

    def _start(self, call: Call) -> _RunningCommand | None:
        words, name = self._commands[call.kind], f"--on-{call.kind}: {self._commands[call.kind][0]}"
        try:
            return _RunningCommand(name, words, facts_of(call), self._clock.mono_ns())
        except (OSError, ValueError) as error:
            say(f"{name}: cannot be started: {getattr(error, 'strerror', None) or error}")
            return None


class _RunningCommand:
    """One command that runs, in a session of its own: a terminal that closes does not end it."""

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        facts: Mapping[str, str],
        now_ns: int,
    ) -> None:
        """Start it. Raises OSError and ValueError."""
        self._name = name
        self._end_ns = now_ns + round(COMMAND_SECONDS * NANOSECONDS)
        self._output = os.memfd_create("output")
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                env={**os.environ, **facts},
                start_new_session=True,
            )
        except BaseException:
            os.close(self._output)
            raise

    def has_ended(self, now_ns: int) -> bool:
        """Whether it has ended; it is killed when its time is over. Reports what it has printed, once."""
        status = self._process.poll()
        if status is None and now_ns < self._end_ns:
            return False
        if status is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            problem = f"has not ended after {COMMAND_SECONDS:.0f} s, and was killed"
        else:
            problem = describe_status(status) if status else ""
        for line in self._printed():
            say(f"{self._name}: {line}")
        if problem:
            say(f"{self._name} {problem}")
        return True

    def _printed(self) -> list[str]:
        size = os.fstat(self._output).st_size
        printed = os.pread(self._output, OUTPUT_BYTES, max(0, size - OUTPUT_BYTES))
        os.close(self._output)
        return [line for line in printed.decode(errors="replace").splitlines() if line.strip()]


def see(bus: FollowedBus) -> Seen:
    """Return what is seen of the run of a bus now."""
    fleet: FleetState = bus.fleet
    with fleet.frozen():
        return Seen(standing_of(bus), list(fleet.failures()), fleet.failed_files(), _stalls(fleet))


def _stalls(fleet: FleetState) -> dict[str, Stall]:
    """The devices that are lost, silent, or have finished nothing for long, by host and key."""
    found = {}
    for row in fleet.get_gpu_metrics():
        state = row["state"]
        is_waited_for = is_stalled(cast("DeviceWork", row))
        if state in ("lost", "silent") or is_waited_for:
            reason = state if state in ("lost", "silent") else "stalled"
            found[f"{row['host']}\0{row['key']}"] = Stall(device_label(row["device_id"]), row["host"], reason)
    return found
