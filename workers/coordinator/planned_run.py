"""A run as it was planned: its devices and the files in their queues, and how the bus gets to know them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from virnucpro_bus.passed_numbers import as_count, as_figure, as_seconds
from virnucpro_bus.publish.event_sink import EventSink
from virnucpro_bus.publish.values import as_device
from virnucpro_bus.text import visible
from workers.coordinator.device_names import DeviceNames
from workers.coordinator.leases import Leases
from workers.coordinator.local_fold import LocalFold
from workers.coordinator.report import PlannedFiles
from workers.inputs.input_file import InputFile
from workers.inputs.input_files import InputFiles
from workers.schedule.plan import WEIGHTS, assign, checked_weights, plan_events
from workers.schedule.policy_registry import DEFAULT_POLICY, make_policy
from workers.schedule.scheduler import Scheduler


class PlannedRun:
    """The state of a run, under one lock, from the plan to the end; subclasses lease files and record their ends.

    Methods whose names begin with "_" are called with the lock held.
    """

    def __init__(
        self,
        devices: Sequence[ev.Device],
        files: Sequence[InputFile],
        *,
        policy: str = DEFAULT_POLICY,
        steal_interval_seconds: float = 0.0,
        weights: Sequence[float] | None = None,
        retries: int = 0,
        sink: EventSink | None = None,
        clock: Clock | None = None,
        job: str = "",
        settings: str = "",
        shard: ev.Shard | None = None,
        done_before: int = 0,
        host: str | None = None,
    ) -> None:
        """Assign `files` to `devices`, longest first, in proportion to `weights` (None: all equal).

        A file that fails is tried up to `retries` times more, on other devices if there are any. A thief steals
        again at the earliest after `steal_interval_seconds` (policy threshold only). `sink` gets the events for
        the bus (None: no bus). `job`, `settings`, a digest of the job and its options, and `shard`, which part of
        the inputs this is (None: all), belong to the run's first event; `done_before` is how many files earlier
        sessions of a resumed run have completed; `host` is the host in the figures (None: this machine). Raises
        UserError for an unknown policy, and ValueError for devices of the same name, and for weights and
        numbers that cannot be right.
        """
        self.devices = tuple(as_device("devices", device) for device in devices)
        """All devices, by number; the retired ones too. It is replaced when one is added."""
        self._names = DeviceNames(self.devices)
        # Numbered by size, as the queues require.
        self._files = InputFiles.of(files).biggest_first()
        self._clock = clock or SystemClock()
        # It comes from the command line, and must fit into an event.
        self._job = visible(job)[:REASON_CHARACTERS]
        costs = self._files.costs
        speeds = checked_weights(weights, len(self.devices))
        if self._files and not self.devices:
            raise ValueError("devices: must be at least one, to process the files")
        self._plan = assign(costs, speeds)
        interval_seconds = as_seconds("steal_interval_seconds", steal_interval_seconds)
        chosen = make_policy(policy, costs, speeds, interval_seconds)
        self.decides = chosen.decides
        """Whether `next_file` hands out files; if not, a caller decides, and leases them by `lease_file`."""
        self._scheduler = Scheduler(self._plan, chosen, as_count("retries", retries))
        self._start_ns = self._clock.mono_ns()
        self.done_before = as_count("done_before", done_before)
        """How many files earlier sessions of the run have completed."""
        self._leases = Leases()
        self._planned = PlannedFiles(self._files)
        self._unplanned = 0
        """How many completions and failures were those of files that are not in the plan."""
        self._lock = threading.Lock()
        self._fold = LocalFold(self.devices, self._clock, sink, host)
        self._run_started = ev.RunStarted(
            self._job, policy, self.devices, len(self._files) + done_before, settings, shard
        )
        # Of a plan the fold keeps ids and costs. The rest takes time, and is only for the bus.
        ids = self._files.ids
        for event in self._opening_events(lambda numbers: [ev.PlannedFile(ids[n], 0, costs[n]) for n in numbers]):
            self._fold.record(event)

    def start(self) -> None:
        """Publish the run's devices and the plan."""
        self.announce(self._opening_events(self._files.planned))
        self.publish_depths()

    def _opening_events(self, planned: Callable[[Sequence[int]], Iterable[ev.PlannedFile]]) -> Iterator[ev.Fact]:
        yield self._run_started
        yield from plan_events(self.devices, self._plan, planned)

    def add_device(self, device: ev.Device, weight: float = 1.0) -> int:
        """Add a device whose worker joins the run after `start`, and return its number.

        Its queue is empty: it works on what it steals by the policy, and on what is tried again. `weight` is as
        those of the other devices. Raises ValueError for a name that another device has, and for a weight that
        cannot be right.
        """
        device, weight = as_device("device", device), as_figure("weight", weight, *WEIGHTS)
        with self._lock:
            names = DeviceNames([*self.devices, device])
            number = self._scheduler.add_device(weight, self._now_seconds())
            self._fold.add_device(device)
            self.devices = (*self.devices, device)
            self._names = names
            return number

    def announce(self, events: Iterable[ev.Fact]) -> None:
        """Publish events on which no figure of the coordinator depends, in this order."""
        with self._lock:
            self._fold.publish(events)

    def is_retired(self, gpu_id: int | str) -> bool:
        """Return whether the device gets no more files."""
        with self._lock:
            return not self._scheduler.is_open(self._names.slot(gpu_id))

    @property
    def unsettled(self) -> int:
        """How many files are neither completed nor failed for good."""
        with self._lock:
            return self._scheduler.unsettled

    @property
    def has_queued(self) -> bool:
        """Whether a file is pending in the queue of a device, and not only for another attempt."""
        with self._lock:
            return any(self._scheduler.depths())

    def publish_depths(self) -> None:
        """Publish the queue depths that have changed, unless some were published in the last quarter of a second.

        `finish` publishes the last ones.
        """
        with self._lock:
            if self._fold.may_announce_depths:
                self._fold.announce_depths(self._scheduler.depths())

    def finish(self, exit_code: int) -> None:
        """Publish that the run is over."""
        exit_code = as_count("exit_code", exit_code)
        with self._lock:
            self._fold.announce_depths(self._scheduler.depths())
            totals = self._fold.totals()
            done = self.done_before + totals["files_completed"]
            self._fold.announce(ev.RunFinished(exit_code, done, totals["files_failed"]))

    def _now_seconds(self) -> float:
        return (self._clock.mono_ns() - self._start_ns) / NANOSECONDS
