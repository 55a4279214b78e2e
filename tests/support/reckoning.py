"""The figures of a run, added up from its raw events in the slow and obvious way.

By docs/events.md and docs/json.md: nothing of the program is imported. `differences.py` compares it with a report.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from tests.support.raw_captures import NS, Event

WINDOW_NS = 60 * NS
WINDOW_FILES = 10
SILENT_AFTER_NS = 5 * NS
ENDS_A_FILE = ("file.completed/", "file.failed/")
FILE_KINDS = ("file.started/", *ENDS_A_FILE, "worker.stopped/")


class HostReckoning:
    """One host at a moment of the hub's clock. Its launcher commits what is completed, and these events arrive."""

    def __init__(self, events: list[Event], now_ns: int, *, is_end: bool) -> None:
        """`events` are all that the hub had received from this host, in that order.

        `is_end`: a run without an end has broken off, because the record of it is over.
        """
        self.events = events
        self.host = events[0].host
        starts = [at for at, event in enumerate(events) if event.kind == "run.started/"]
        self.session = events[starts[-1] :] if starts else events
        self.run = self.session[0].fields if starts else None
        # A monotonic clock that is behind the one before has been started again, by a boot.
        boots = [at for at in starts if events[at].mono_ns < max(e.mono_ns for e in events[: at + 1])]
        self.boot = events[boots[-1] :] if boots else events
        self.started_ns = self.session[0].mono_ns if starts else None
        self.finished = next((e for e in self.session if e.kind == "run.finished/"), None)
        newest_ns = max(event.mono_ns for event in self.boot)
        now_ns -= min(event.received_ns - event.mono_ns for event in self.boot)
        self.is_broken_off = is_end and self.finished is None
        self.now_ns = newest_ns if self.is_broken_off else max(now_ns, newest_ns)
        if self.finished is not None:
            self.now_ns = self.finished.mono_ns

    # Workers and files.

    @cached_property
    def streams(self) -> dict[tuple[str, int], list[Event]]:
        """The events of each worker process in their order, by source and epoch."""
        found = defaultdict(list)
        for event in self.events:
            if event.source.startswith("worker"):
                found[event.source, event.epoch].append(event)
        return {stream: sorted(events, key=lambda event: event.seq) for stream, events in found.items()}

    @cached_property
    def seqs(self) -> dict[tuple[str, int], set[int]]:
        """The numbers of the events received of each source and epoch."""
        found = defaultdict(set)
        for event in self.events:
            found[event.source, event.epoch].add(event.seq)
        return found

    @cached_property
    def dead(self) -> set[tuple[str, int]]:
        """The worker processes that the launcher has reported as dead."""
        return {(event.fields[1], event.fields[2]) for event in self.events if event.kind == "worker.lost/"}

    def workers_of(self, key: str) -> list[tuple[str, int]]:
        # The first field names the device, or in "worker.started/" describes it.
        found = [of for of, events in self.streams.items() if key in (events[0].fields[0], events[0].fields[0][0])]
        return sorted(found, key=lambda of: (of[1], of[0]))

    def _is_live(self, stream: tuple[str, int]) -> bool:
        is_stopped = self.streams[stream][-1].kind == "worker.stopped/"
        return not (self.is_broken_off or is_stopped or stream in self.dead)

    def _loaded_ns(self, stream: tuple[str, int]) -> int | None:
        """Until when a worker has loaded its job; None: it never said that it loads, or unknown."""
        events = self.streams[stream]
        states = [(e.mono_ns, e.fields[1]) for e in events if e.kind == "worker.heartbeat/"]
        says_so = any(e.fields[2:3] == [True] for e in events if e.kind == "worker.started/")
        if not says_so and not any(state == "starting" for _, state in states):
            return None
        ready = [at_ns for at_ns, state in states if state != "starting"]
        if not ready and any(event.kind in FILE_KINDS[:-1] for event in events):
            return None  # it has worked, and its heartbeats were lost
        return min(ready, default=self.now_ns if self._is_live(stream) else events[-1].mono_ns)

    def ready_ns(self, key: str) -> int:
        """When the first of a device's workers, of those that can still work, had loaded its job."""
        every = self.workers_of(key)
        live = [stream for stream in every if self._is_live(stream)]
        return min((self._loaded_ns(stream) or 0 for stream in live or every[-1:]), default=0)

    def _loading_seconds(self, key: str) -> float | None:
        for stream in self.workers_of(key)[-1:]:
            started = [event.mono_ns for event in self.streams[stream] if event.kind == "worker.started/"]
            loaded_ns = self._loaded_ns(stream)
            return None if loaded_ns is None or not started else (loaded_ns - started[0]) / NS
        return None

    @cached_property
    def open_files(self) -> list[tuple[str, Event, Event | None]]:
        """The files in progress: the device, the event of its start, and that of its last progress."""
        found = []
        for stream in () if self.is_broken_off else self.streams.keys() - self.dead:
            events = self.streams[stream]
            last = next((event for event in reversed(events) if event.kind in FILE_KINDS), None)
            if last is not None and last.kind == "file.started/":
                reported = [e for e in events if e.kind == "file.progress/" and e.seq > last.seq]
                found.append((last.fields[0], last, reported[-1] if reported else None))
        return found

    def ended(self, events: Iterable[Event], key: str | None = None) -> list[Event]:
        """The completions and failed attempts among `events`, of one device or all, by the monotonic clock."""
        chosen = [e for e in events if e.kind in ENDS_A_FILE and key in (None, e.fields[0])]
        return sorted(chosen, key=lambda event: event.mono_ns)

    @cached_property
    def steals(self) -> list[Event]:
        return [event for event in self.events if event.kind == "work.stolen/"]

    @cached_property
    def commits(self) -> dict[str, Event]:
        return {event.fields[1]: event for event in self.events if event.kind == "file.committed/"}

    @cached_property
    def failed(self) -> set[str]:
        """The files that failed for good, and are not pending again."""
        found: set[str] = set()
        for event in self.events:
            if event.kind == "file.failed/" and event.fields[5]:
                found.add(event.fields[1])
            elif event.kind == "file.reopened/":
                found.discard(event.fields[0])
        return found

    # Figures.

    @property
    def keys(self) -> list[str]:
        return [*(device[0] for device in self.run[2]), *self.joined_ns] if self.run else []

    @cached_property
    def joined_ns(self) -> dict[str, int]:
        """When devices have joined the session after its start."""
        return {event.fields[0][0]: event.mono_ns for event in self.session if event.kind == "run.joined/"}

    def _queue_depth(self, key: str) -> int | None:
        """The number in the last event of the latest session that names the device."""
        depths = [event for event in self.events if event.kind == "queue.depths/"]
        session = max((event.epoch for event in depths), default=0)
        naming = [event for event in depths if event.epoch == session and key in event.fields[0]]
        return max(naming, key=lambda event: event.seq).fields[0][key] if naming else None

    def device(self, key: str) -> dict[str, Any]:
        """The figures of one device."""
        ended, ended_since_boot = self.ended(self.events, key), self.ended(self.boot, key)
        last_ns = max([e.mono_ns for e in ended_since_boot] + [self.started_ns or 0, self.ready_ns(key)])
        reopened = sum(e.kind == "file.reopened/" and e.fields[1] == key for e in self.events)
        its_own = [(start, last) for of, start, last in self.open_files if of == key]
        in_progress = max(its_own, key=lambda each: (each[0].mono_ns, each[0].fields[1]), default=None)
        return {
            "files_completed": sum(e.fields[0] == key for e in self.commits.values()),
            "files_failed": sum(e.kind == "file.failed/" and e.fields[5] for e in ended) - reopened,
            "sequences": sum(e.fields[6] for e in self.commits.values() if e.fields[0] == key),
            "work_stolen_to": sum(e.fields[0] == key for e in self.steals),
            "work_stolen_from": sum(e.fields[1] == key for e in self.steals),
            "queue_depth": self._queue_depth(key),
            "throughput": self.throughput(key),
            "last_update_time": self._last_update(key),
            "seconds_since_done": (self.now_ns - last_ns) / NS,
            "current_file": in_progress and in_progress[0].fields[1],
            "current_file_percent": in_progress and self._percent(in_progress[1]),
            "is_silent": self._is_silent(key),
            "loading_seconds": self._loading_seconds(key),
        }

    def _percent(self, progress: Event | None) -> float | None:
        """How much of a file is done; an event of before there were totals has none."""
        done, total = (*progress.fields[3:], None)[:2] if progress else (None, None)
        return min(100.0, 100 * done / total) if total else None

    def throughput(self, key: str) -> float | None:
        """Sequences per second of this session until now: over the last 60 s or 10 files, whichever are more.

        Files from before its worker had loaded its job do not count. Of a run that is over: from the start of the
        first file of any device to the end of the last one.
        """
        done = [e for e in self.ended(self.session, key) if e.kind == "file.completed/"]
        makespan: float = self.effect.get("makespan_seconds", 0.0)
        if (self.finished or self.is_broken_off) and makespan and done:
            sequences: int = sum(e.fields[3] for e in done)
            return sequences / makespan
        recent = [event for event in done if event.mono_ns >= self.now_ns - WINDOW_NS]
        chosen = recent if len(recent) >= WINDOW_FILES else done[-WINDOW_FILES:]
        chosen = [event for event in chosen if event.mono_ns >= self.ready_ns(key)]
        spans = [(event.mono_ns - round(event.fields[4] * NS), event.fields[3]) for event in chosen]
        spans += [(e.mono_ns, last.fields[3]) for of, e, last in self.open_files if of == key and last]
        seconds = (self.now_ns - min(start for start, _ in spans)) / NS if spans else 0.0
        return sum(sequences for _, sequences in spans) / seconds if seconds > 0 else None

    def _last_update(self, key: str) -> float | None:
        """When its last completion or failure was received, whatever the host's wall clock showed."""
        return max((event.received_ns / NS for event in self.ended(self.events, key)), default=None)

    def _is_silent(self, key: str) -> bool:
        live = [self.streams[stream] for stream in self.workers_of(key) if self._is_live(stream)]
        heard = [max(event.mono_ns for event in events) for events in live]
        # Silence is a problem only of those that have ever sent a heartbeat.
        beats = all(any(event.kind == "worker.heartbeat/" for event in events) for events in live)
        return bool(heard) and beats and all(self.now_ns - each > SILENT_AFTER_NS for each in heard)

    @property
    def totals(self) -> dict[str, int]:
        return {
            "files_total": self.run[3] if self.run else 0,
            "files_completed": len(self.commits),
            "files_failed": len(self.failed),
            "sequences": sum(event.fields[6] for event in self.commits.values()),
            "steals": len(self.steals),
            "events_received": len(self.events),
            "events_published": sum(map(max, self.seqs.values())),
        }

    @property
    def effect(self) -> dict[str, Any]:
        """What is exactly known of the session's work, in times from its first start; {} before that."""
        ended = self.ended(self.session)
        starts = [event.mono_ns - round(event.fields[4] * NS) for event in ended]
        # An attempt that died, and before which nothing had begun, is left out.
        starts += [event.mono_ns for _, event, _ in self.open_files if event in self.session]
        if not starts:
            return {}
        zero_ns = min(starts)
        planned = {each[0] for e in self.session if e.kind == "run.assigned/" for each in e.fields[1]}
        settled = {e.fields[1] for e in ended if e.kind == "file.completed/" or e.fields[5]}
        is_over = self.finished is not None or self.is_broken_off or planned <= settled
        open_starts = {} if is_over else {of: event.mono_ns for of, event, _ in self.open_files}
        end_ns = max(event.mono_ns for event in ended) if is_over else self.now_ns
        busy, idle, finish = {}, {}, {}
        for key in self.keys:
            its_own = [event for event in ended if event.fields[0] == key]
            busy[key] = math.fsum(event.fields[4] for event in its_own)
            busy[key] += (end_ns - open_starts.get(key, end_ns)) / NS
            from_ns = min(end_ns, max(zero_ns, self.joined_ns.get(key, 0)))
            idle[key] = max(0.0, (end_ns - from_ns) / NS - busy[key])
            last_ns = end_ns if key in open_starts else max([event.mono_ns for event in its_own], default=from_ns)
            finish[key] = (last_ns - zero_ns) / NS
        done_by = {e.fields[1]: e.fields[0] for e in ended if e.kind == "file.completed/"}
        done_by |= {event.fields[1]: of for of, event, _ in self.open_files}
        stolen_by = {e.fields[2]: e.fields[0] for e in self.session if e.kind == "work.stolen/"}
        return {
            "makespan_seconds": (end_ns - zero_ns) / NS,
            "busy_seconds": busy,
            "idle_seconds": idle,
            "finish_seconds": finish,
            "tail_seconds": (end_ns - zero_ns) / NS - min(finish.values()),
            "jain_index": jain(busy.values()),
            "moves": sum(done_by.get(file) == thief for file, thief in stolen_by.items()),
        }


class Reckoning:
    """All hosts at a moment of the hub's clock."""

    def __init__(self, events: Iterable[Event], now_ns: int) -> None:
        """`events` are all on record, those after `now_ns` too."""
        received, is_end = defaultdict(list), True
        for event in events:
            if event.received_ns <= now_ns:
                received[event.host].append(event)
            else:
                is_end = False
        self.hosts = {
            host: HostReckoning(its_own, now_ns, is_end=is_end) for host, its_own in sorted(received.items())
        }

    @property
    def devices(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The figures of each device, by host and key."""
        return {(name, key): host.device(key) for name, host in self.hosts.items() for key in host.keys}

    @property
    def totals(self) -> dict[str, int]:
        every = [host.totals for host in self.hosts.values()]
        found = {name: sum(totals[name] for totals in every) for name in every[0]}
        return found | {"events_lost": found["events_published"] - found["events_received"]}

    @property
    def files(self) -> list[tuple[str, float, float]]:
        """Every completion: the file, when it was received, and how long it took."""
        done = [e for host in self.hosts.values() for e in host.events if e.kind == "file.completed/"]
        return sorted((event.fields[1], event.received_ns / NS, event.fields[4]) for event in done)

    @property
    def steals(self) -> list[str]:
        """The files of all steals."""
        return sorted(event.fields[2] for host in self.hosts.values() for event in host.steals)

    @property
    def sources(self) -> list[tuple[str, str, int, int, int]]:
        """The streams that lack events: host, source, epoch, published and received."""
        every = [
            (host, *stream, max(seqs), len(seqs))
            for host, its_own in self.hosts.items()
            for stream, seqs in its_own.seqs.items()
        ]
        return sorted(each for each in every if each[3] > each[4])


def jain(times: Iterable[float]) -> float | None:
    """How even times are: 1 for all equal, 1/n if one of n has everything; None if all are 0."""
    every = list(times)
    squares = math.fsum(each * each for each in every)
    return math.fsum(every) ** 2 / len(every) / squares if squares else None
