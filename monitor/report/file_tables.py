"""The tables of files: what failed and why, what was slow, and which steals were the best and the worst."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from operator import attrgetter

from monitor.markup.html import Content, Markup, element
from monitor.markup.tables import Column, grouped_table
from monitor.report.reported_run import ReportedRun, group_of
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect_text import count_steals, gain
from virnucpro_bus.metrics import StealEffect
from virnucpro_bus.timeline.timeline import Attempt
from virnucpro_bus.units import UNKNOWN, duration

MAX_FAILURES = 200
SLOWEST = 20
BEST_STEALS = WORST_STEALS = 10
Row = list[Content]


def failures(runs: Sequence[ReportedRun]) -> Content:
    """Every attempt that failed or was lost, with its reason, and what was printed then."""
    rows = [(run.name, row) for run in runs for row in _failed_rows(run)]
    if not rows:
        return None
    shown = len(rows[:MAX_FAILURES])
    which = f"The first {shown} of {len(rows):,} attempts" if shown < len(rows) else "Attempts"
    columns = [
        Column("file"),
        Column("after", is_number=True),
        Column("attempt", is_number=True),
        Column("device"),
        Column("how"),
        Column("in the end"),
        Column("reason", is_long=True),
    ]
    made = grouped_table(
        f"{which} that did not complete their file: files that failed for good first",
        columns,
        rows[:shown],
        group_of(runs),
    )
    return [made, [_logs(run, runs) for run in runs]]


def _failed_rows(run: ReportedRun) -> Iterator[Row]:
    failed = run.recording.fleet.failures()
    wanted = {each.file for each in run.unended_attempts}
    done = {
        (each.host, each.file): each.attempt
        for each in run.timeline.attempts
        if each.file in wanted and each.outcome == "completed"
    }
    attempts = [each for each in run.unended_attempts if each.file in failed]
    attempts += [each for each in run.unended_attempts if each.file not in failed]
    listed = {each.file for each in attempts}
    for file, reason in failed.items():
        if file not in listed:
            yield [file, None, None, None, "failed", "failed for good", reason]
    for each in attempts:
        end = "failed for good" if each.file in failed else UNKNOWN
        if (number := done.get((each.host, each.file))) is not None:
            end = f"done by attempt {number}" if number else "done"
        yield [
            each.file,
            _after(run, each.end_ns),
            str(each.attempt) if each.attempt else None,
            run.label(each.host, each.device),
            each.outcome,
            end,
            each.reason or UNKNOWN,
        ]
    begun = {(each.host, each.file, each.attempt) for each in attempts}
    for loss in run.timeline.losses:
        if (loss.host, loss.file or "", loss.attempt) not in begun:
            yield [
                loss.file or "no file",
                _after(run, loss.at_ns),
                str(loss.attempt) if loss.attempt else None,
                run.label(loss.host, loss.device),
                "worker lost",
                "no file was affected" if loss.file is None else "it was not begun",
                loss.reason,
            ]


def _logs(run: ReportedRun, runs: Sequence[ReportedRun]) -> Content:
    """What was printed last; where the lines of several logs are the same, they are shown once."""
    by_lines: dict[tuple[str, ...], list[str]] = {}
    for log, last in run.logs.items():
        by_lines.setdefault(tuple(last), []).append(log)
    where = f" in {run.name}" if len(runs) > 1 else ""
    return [
        [
            element("h3", f"The last lines of {', '.join(logs)}{where}"),
            element("pre", [[line, Markup("\n")] for line in lines]),
        ]
        for lines, logs in by_lines.items()
    ]


def slowest(runs: Sequence[ReportedRun]) -> Content:
    """The files that took longest, with what their GPU did meanwhile."""
    seconds = attrgetter("duration_seconds")
    candidates = [
        (run, each)
        for run in runs
        for each in heapq.nlargest(SLOWEST, filter(_is_completed, run.timeline.attempts), seconds)
    ]
    longest = heapq.nlargest(SLOWEST, candidates, key=lambda each: each[1].duration_seconds)
    if not longest:
        return None
    columns = [
        Column("file"),
        Column("device"),
        Column("time", is_number=True),
        Column("sequences", is_number=True),
        Column("mean load", is_number=True),
        Column("peak memory", is_number=True),
        Column("energy", is_number=True),
    ]
    rows = [(run.name, _slow_row(run, each)) for run, each in longest]
    return grouped_table(f"The {len(rows)} files that took longest", columns, rows, group_of(runs))


def _is_completed(attempt: Attempt) -> bool:
    return attempt.outcome == "completed"


def _slow_row(run: ReportedRun, attempt: Attempt) -> Row:
    load, memory, energy = run.attempt_figures.figures(attempt)
    return [
        attempt.file,
        run.label(attempt.host, attempt.device),
        duration(attempt.duration_seconds),
        None if attempt.sequences is None else f"{attempt.sequences:,}",
        None if load is None else f"{load:.0f} %",
        None if memory is None else f"{memory / 2**30:.1f} GiB",
        None if energy is None else f"{energy:,.0f} J",
    ]


def steals(runs: Sequence[ReportedRun]) -> Content:
    """The steals that saved most, and those that saved least or cost most."""
    known = [(run, each) for run in runs for each in run.effect["steals"] if each["saved_seconds"] is not None]
    if not known:
        return None
    known.sort(key=lambda each: each[1]["saved_seconds"] or 0.0, reverse=True)
    shown = known[:BEST_STEALS] + known[max(BEST_STEALS, len(known) - WORST_STEALS) :]
    moves = sum(run.effect["moves"] for run in runs)
    all_of = count_steals(moves) if len(known) == moves else f"the last {len(known):,} of {count_steals(moves)}"
    caption = f"The best and the worst of {all_of}" if len(shown) < len(known) else f"All {all_of}, the best first"
    columns = [
        Column("file"),
        Column("thief"),
        Column("victim"),
        Column("effect, by itself", is_number=True),
    ]
    rows = [(run.name, _steal_row(run, each)) for run, each in shown]
    return grouped_table(caption, columns, rows, group_of(runs))


def _steal_row(run: ReportedRun, steal: StealEffect) -> Row:
    host = f"{steal['host']} " if len(run.hosts) > 1 else ""
    thief, victim = (
        f"{host}GPU {each}" if isinstance(each, int) else f"{host}{each}"
        for each in (steal["dest_gpu"], steal["source_gpu"])
    )
    return [steal["file_name"], thief, victim, gain(steal["saved_seconds"], steal["saved_range"])]


def _after(run: ReportedRun, at_ns: int) -> str:
    return duration((at_ns - run.span_ns[0]) / NANOSECONDS)
