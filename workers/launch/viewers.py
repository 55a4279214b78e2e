"""The viewers of a run, which start once its workers are at work: the GPU sampler and the monitor."""

from __future__ import annotations

from collections.abc import Callable

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.devices import is_simulated
from virnucpro_bus.hub.bus_server import BusServer
from workers.launch.monitor_process import MonitorProcess
from workers.launch.run_plan import RunPlan

LONGEST_DELAY_SECONDS = 1.0
"""They start so long after the workers at the latest: a job that takes long to load is shown loading."""


class Viewers:
    """Starts sampler and monitor of a run, once. The run continues without one that cannot be started."""

    def __init__(
        self,
        plan: RunPlan,
        server: BusServer,
        monitor: MonitorProcess,
        clock: Clock,
        notify: Callable[[str], object],
    ) -> None:
        """`notify` gets what goes wrong, for the user."""
        self._plan = plan
        self._server = server
        self._monitor = monitor
        self._clock = clock
        self._notify = notify
        self._due_ns: int | None = None
        """When they start at the latest; None until the first `start_if_due`."""
        self._started = False

    def start_if_due(self, *, is_begun: bool) -> None:
        """Start them with the first file (`is_begun`), or 1 s after the first call of this.

        Before that they would only share the processors with the workers that load.
        """
        now_ns = self._clock.mono_ns()
        if self._due_ns is None:
            self._due_ns = now_ns + int(LONGEST_DELAY_SECONDS * NANOSECONDS)
        if is_begun or now_ns >= self._due_ns:
            self.start()

    def start(self) -> None:
        """Start them, unless they were started before."""
        if self._started:
            return
        self._started = True
        plan = self._plan
        try:
            if plan.samples_here:
                self._server.start_sampler(simulated=any(is_simulated(device.key) for device in plan.devices))
        except OSError as error:
            self._notify(f"there are no GPU figures, because the sampler cannot be started: {error.strerror}")
        try:
            self._monitor.start(
                plan.run_dir,
                plan.interval_seconds,
                plan.log_file,
                plan.log_rotate_bytes,
                draw=plan.dashboard,
                display=plan.display,
                http=plan.http,
            )
        except OSError as error:
            self._notify(f"there is no dashboard and no log: the monitor cannot be started: {error.strerror}")
