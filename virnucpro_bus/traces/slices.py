"""Makes a slice of each thing that happened, with the name and the arguments that a viewer shows. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.text import visible
from virnucpro_bus.timeline.timeline import Attempt, Loading, Loss, Session, TimedNotice, TimedSteal, Timeline
from virnucpro_bus.traces.rows import Kind, Slice

Label = Callable[[str, str], str]
"""Returns what people call a device, by its host and key."""
MIN_ARROW_NS = 1_000
"""To a viewer, an arrow that ends when it starts may point back; and one format counts in microseconds."""


class Arrows:
    """The arrows from each steal to what the thief did with the file, numbered from 1."""

    def __init__(self, timeline: Timeline, numbers: Iterator[int]) -> None:
        self._of_steals: dict[TimedSteal, tuple[int, int]] = {}
        self._of_attempts: dict[Attempt, int] = {}
        stolen: defaultdict[tuple[str, str, str, int], deque[Attempt]] = defaultdict(deque)
        for attempt in sorted(timeline.attempts, key=lambda each: each.start_ns):
            if attempt.stolen_from is not None:
                stolen[attempt.host, attempt.device, attempt.file, attempt.attempt].append(attempt)
        for steal in timeline.steals:
            if attempts := stolen[steal.host, steal.thief, steal.file, steal.attempt]:
                number, attempt = next(numbers), attempts.popleft()
                self._of_steals[steal] = number, min(steal.at_ns, attempt.start_ns - MIN_ARROW_NS)
                self._of_attempts[attempt] = number

    def start(self, steal: TimedSteal) -> tuple[int | None, int]:
        """The number of the arrow that starts at a steal, None if the thief did not begin the file; and when."""
        return self._of_steals.get(steal, (None, steal.at_ns))

    def end(self, attempt: Attempt) -> int | None:
        """The number of the arrow that ends at an attempt; None if the file was not stolen."""
        return self._of_attempts.get(attempt)


def attempt_slice(attempt: Attempt, label: Label, arrows: Arrows) -> Slice:
    """An attempt at a file, called like the file, and how it ended unless it was completed."""
    kind: Kind = "own" if attempt.stolen_from is None else "stolen"
    if attempt.outcome != "completed":
        kind = attempt.outcome
    name, seconds = visible(attempt.file), (attempt.end_ns - attempt.start_ns) / NANOSECONDS
    arguments: dict[str, str | int | float] = {"file": name, "outcome": attempt.outcome}
    if attempt.attempt:
        arguments["attempt"] = attempt.attempt
    if attempt.sequences is not None:
        arguments["sequences"] = attempt.sequences
        if seconds:
            arguments["sequences_per_second"] = round(attempt.sequences / seconds, 2)
    if attempt.stolen_from is not None:
        arguments["stolen_from"] = label(attempt.host, attempt.stolen_from)
    if attempt.reason:
        arguments["reason"] = visible(attempt.reason)
    shown = name if attempt.outcome == "completed" else f"{name} ({attempt.outcome})"
    return Slice(attempt.start_ns, attempt.end_ns, kind, shown, arguments, arrow_to=arrows.end(attempt))


def loading_slice(loading: Loading) -> Slice:
    """A worker from its start until it was ready."""
    name = "loading" if loading.is_ready else "loading (not finished)"
    return Slice(loading.start_ns, loading.end_ns, "loading", name)


def steal_slice(steal: TimedSteal, label: Label, arrows: Arrows) -> Slice:
    """The moment in which a file was taken from a device's queue."""
    thief, (number, at_ns) = label(steal.host, steal.thief), arrows.start(steal)
    arguments: dict[str, str | int] = {"file": visible(steal.file), "stolen_by": thief}
    if steal.attempt:
        arguments["attempt"] = steal.attempt
    return Slice(at_ns, at_ns, "steal", f"{thief} steals {visible(steal.file)}", arguments, arrow_from=number)


def loss_slice(loss: Loss) -> Slice:
    """The moment in which a worker's death was noticed."""
    arguments: dict[str, str | int] = {"reason": visible(loss.reason)}
    if loss.file is not None:
        arguments["file"] = visible(loss.file)
        if loss.attempt:
            arguments["attempt"] = loss.attempt
    return Slice(loss.at_ns, loss.at_ns, "worker lost", "worker lost", arguments)


def session_slice(session: Session) -> Slice:
    """A run, or a part of one that was resumed."""
    arguments: dict[str, str | int] = {"job": visible(session.job), "policy": visible(session.policy)}
    if session.exit_code is not None:
        arguments["exit_status"] = session.exit_code
    return Slice(session.start_ns, session.end_ns, "session", visible(session.run) or "run", arguments)


def notice_slice(notice: TimedNotice) -> Slice:
    """A message for the user."""
    return Slice(notice.at_ns, notice.at_ns, "notice", visible(notice.text))
