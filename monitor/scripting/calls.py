"""Which command is to be called next for what was seen of the runs. A pure state machine.

One is called at a time: what happens meanwhile is gathered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from monitor.scripting.standing import Standing
from virnucpro_bus.run_reports import FailedFile

Kind = Literal["end", "failure", "stall"]
KINDS: tuple[Kind, ...] = ("end", "failure", "stall")


@dataclass(frozen=True)
class Stall:
    """A device that a run waits for."""

    device: str
    """As the screen names it."""
    host: str
    reason: str
    """"lost", "silent" or "stalled"."""


@dataclass(frozen=True)
class Seen:
    """What is seen of one run at a moment."""

    standing: Standing
    failures: Sequence[str] = ()
    """The files that have failed for good."""
    latest: Sequence[FailedFile] = ()
    """The last of them, with what is known of each, the newest last."""
    stalls: Mapping[str, Stall] = field(default_factory=dict)
    """The devices that the run waits for now, by an identity that stays the same."""


@dataclass(frozen=True)
class Call:
    """One call of a command."""

    kind: Kind
    standing: Standing
    count: int = 1
    """How many files have failed since the call before."""
    failed: FailedFile | None = None
    """The last of these files; None for other kinds."""
    stall: Stall | None = None
    """The device; None for other kinds."""


class _RunCalls:
    """What is due for one run."""

    def __init__(self) -> None:
        self.known_failures: set[str] = set()
        self.unreported = 0
        self.last_failed: FailedFile | None = None
        self.stalled: set[str] = set()
        """The devices whose stall was noticed, and has not ended."""
        self.pending_stalls: dict[str, Stall] = {}
        self.has_ended = self.is_end_called = False
        self.standing: Standing | None = None


class Calls:
    """Decides which commands are called, of those that are wanted. Not thread-safe."""

    def __init__(self, wanted: frozenset[Kind]) -> None:
        self._wanted = wanted
        self._runs: dict[str, _RunCalls] = {}

    def observe(self, seen: Seen) -> None:
        """Take what is seen of a run now. After its end nothing that is seen of it counts."""
        run = self._runs.setdefault(seen.standing.target, _RunCalls())
        if run.has_ended:
            return
        run.standing, run.has_ended = seen.standing, seen.standing.is_over
        failed = set(seen.failures)
        new = failed - run.known_failures
        run.known_failures = failed  # one that is pending again may fail again
        if new:
            run.unreported += len(new)
            run.last_failed = next((each for each in reversed(seen.latest) if each["file"] in new), None)
        # A run that is over waits for no device.
        stalls = {} if run.has_ended else seen.stalls
        for device, stall in stalls.items():
            if device not in run.stalled:
                run.pending_stalls[device] = stall
        run.stalled = set(stalls)
        run.pending_stalls = {key: stall for key, stall in run.pending_stalls.items() if key in stalls}

    def next_call(self) -> Call | None:
        """Return what is to be called now, which then counts as called; None: nothing.

        The end of a run comes after all that has happened in it.
        """
        for run in self._runs.values():
            call = self._next_of(run)
            if call is not None:
                return call
        return None

    def _next_of(self, run: _RunCalls) -> Call | None:
        if run.standing is None:
            return None
        if "failure" in self._wanted and run.unreported:
            count, run.unreported = run.unreported, 0
            return Call("failure", run.standing, count, run.last_failed)
        if "stall" in self._wanted and run.pending_stalls:
            key = next(iter(run.pending_stalls))
            return Call("stall", run.standing, stall=run.pending_stalls.pop(key))
        if "end" in self._wanted and run.has_ended and not run.is_end_called:
            run.is_end_called = True
            return Call("end", run.standing)
        return None
