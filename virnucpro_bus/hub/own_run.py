"""The run of workers that no launcher started: what the hub reports of it, as its coordinator.

The first plan that arrives makes it a run. It begins when the earliest plan was made, and goes on while hubs
continue each other in one folder, as the workers do, until the machine restarts. A program that announces a run
itself is the coordinator of that, and the hub reports none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.events.codec import decode_all, encode, topic_prefix
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE, Envelope, Sequencer
from virnucpro_bus.events.host_time import HostTime
from virnucpro_bus.events.kinds import KIND_OF
from virnucpro_bus.events.run_events import OWN_POLICY
from virnucpro_bus.metrics import Totals

OWN_JOB = "own workers"
RESUMED = "the hub was started again, and continues its capture"
STATE_EVERY_NS = NANOSECONDS
"""How often a run that grows is stated again."""
_KINDS = (ev.WorkerStarted, ev.FilesAssigned, ev.RunStarted, ev.RunFinished, ev.Notice)
_PREFIXES = tuple(topic_prefix(KIND_OF[kind]) for kind in _KINDS)


@dataclass
class _Plan:
    """The plans of the workers of one host, together."""

    run: str
    """The run that the one that arrived first names."""
    wall_ns: int
    """When the earliest of them was made, by the host's two clocks."""
    mono_ns: int
    base_ns: int
    """Which boot of the machine that is in (`host_time.py`)."""
    devices: dict[str, None] = field(default_factory=dict)
    """The keys of the devices, in the order of their plans."""
    files: set[str] = field(default_factory=set)
    is_stated: bool = False
    """Whether the last announcement has all of them."""


class OwnRun:
    """Follows the plans on a bus without a launcher, and makes the coordinator's events. Not thread-safe."""

    def __init__(self, clock: Clock, run: str, host: str) -> None:
        """`run` and `host` are those of the bus."""
        self._clock = clock
        self._run, self._host = run, host
        self._plans: dict[str, _Plan] = {}
        """By host: containers of one machine have names of their own."""
        self._devices: dict[tuple[str, str], ev.Device] = {}
        """By host and key, as workers have described them."""
        self._time, self._newest_ns = HostTime(), 0
        self._last_epoch = 0
        """The latest epoch in which a coordinator was observed."""
        self._sequencers: dict[str, Sequencer] = {}
        """By host."""
        self._is_of_others = False
        """Whether another program has announced a run."""
        self._not_before_ns = 0
        """When runs may be stated again, by the monotonic clock."""

    def observe(self, frames: Sequence[bytes]) -> None:
        """Note the plans among new events, of this session of the bus or an earlier one."""
        relevant = [frame for frame in frames if frame.startswith(_PREFIXES)]
        for envelope in decode_all(relevant, Counter()) if relevant else ():
            if isinstance(envelope, Envelope):
                self._note(envelope)

    def statements(self) -> list[bytes]:
        """Return the announcements that are due: of each run that has begun, or has grown since its last one."""
        now_ns = self._clock.mono_ns()
        if self._is_of_others or now_ns < self._not_before_ns:
            return []
        grown = [host for host, plan in self._plans.items() if not plan.is_stated]
        if grown:
            self._not_before_ns = now_ns + STATE_EVERY_NS
        return [self._announcement(host) for host in grown]

    def resume(self) -> list[bytes]:
        """Return what shows viewers that the bus goes on, after all that was recorded of it has been observed."""
        if self._is_of_others:
            return []
        resumed = self._sequencer(self._host).next_envelope(ev.Notice(RESUMED))
        base_ns = self._time.place(resumed, self._newest_ns)
        # The workers of an earlier boot have ended, and nothing is known of what they have not done.
        self._plans = {host: plan for host, plan in self._plans.items() if plan.base_ns == base_ns}
        return [encode(resumed), *map(self._announcement, self._plans)]

    def finish(self, count: Callable[[], Mapping[str, Totals]]) -> list[bytes]:
        """Return what reports the end of the bus in good order.

        `count` returns the totals of each host, of all that was received; it is called only if that is needed.
        """
        if self._is_of_others:
            return []
        grown = [host for host, plan in self._plans.items() if not plan.is_stated]
        # The bus's own run is the last of them: by that the next hub knows it.
        ended = [*(host for host in self._plans if host != self._host), self._host]
        totals = count()
        return [*map(self._announcement, grown), *(self._end(host, totals.get(host)) for host in ended)]

    def _note(self, envelope: Envelope) -> None:
        event = envelope.event
        base_ns = self._time.place(envelope, self._newest_ns)
        self._newest_ns = max(self._newest_ns, envelope.mono_ns + base_ns)
        if envelope.source == COORDINATOR_SOURCE:
            self._last_epoch = max(self._last_epoch, envelope.epoch)
        if isinstance(event, ev.WorkerStarted):
            self._devices[envelope.host, event.device.key] = event.device
        elif isinstance(event, ev.RunStarted):
            self._is_of_others = self._is_of_others or event.policy != OWN_POLICY
        elif isinstance(event, ev.FilesAssigned) and envelope.source != COORDINATOR_SOURCE:
            self._add_plan(event, envelope, base_ns)

    def _add_plan(self, event: ev.FilesAssigned, envelope: Envelope, base_ns: int) -> None:
        plan = self._plans.get(envelope.host)
        if plan is None:
            run = envelope.run or self._run
            plan = self._plans[envelope.host] = _Plan(run, envelope.wall_ns, envelope.mono_ns, base_ns)
        known = plan.mono_ns, len(plan.devices), len(plan.files)
        if envelope.mono_ns < plan.mono_ns:
            plan.wall_ns, plan.mono_ns = envelope.wall_ns, envelope.mono_ns
        plan.devices[event.device] = None
        plan.files.update(each.file for each in event.files)
        plan.is_stated = plan.is_stated and known == (plan.mono_ns, len(plan.devices), len(plan.files))

    def _announcement(self, host: str) -> bytes:
        plan = self._plans[host]
        plan.is_stated = True
        devices = tuple(self._devices.get((host, key), ev.Device(key)) for key in plan.devices)
        started = ev.RunStarted(OWN_JOB, OWN_POLICY, devices, len(plan.files))
        # When the run began, whenever that is stated: an earlier hub may have stated it as well.
        return encode(self._sequencer(host).next_envelope(started, plan.wall_ns, plan.mono_ns))

    def _end(self, host: str, totals: Totals | None) -> bytes:
        completed, failed = (totals["files_completed"], totals["files_failed"]) if totals else (0, 0)
        return encode(self._sequencer(host).next_envelope(ev.RunFinished(0, completed, failed)))

    def _sequencer(self, host: str) -> Sequencer:
        sequencer = self._sequencers.get(host)
        if sequencer is None:
            plan = self._plans.get(host)
            sequencer = self._sequencers[host] = Sequencer(
                self._clock,
                source=COORDINATOR_SOURCE,
                run=self._run if plan is None else plan.run,
                epoch=max(self._clock.wall_ns(), self._last_epoch + 1),
                host=host,
            )
        return sequencer
