"""The sending end of the bus: a publisher numbers events and sends them, without ever waiting for a reader.

Two lines are enough in a worker of your own:

    bus = Publisher.connect()                       # address from VIRNUCPRO_BUS
    bus.file_completed("a.fa", sequences=250, duration_seconds=3.2)
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from multiprocessing.util import Finalize
from typing import Any, Protocol, Self

from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.errors import AddressError, ForkedPublisherError
from virnucpro_bus.events.codec import decode, encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.own_device import find_own_device, gpus_counted_by
from virnucpro_bus.passed_numbers import as_count, as_seconds
from virnucpro_bus.publish import worker_events
from virnucpro_bus.publish.outbox import FrameOutbox, Outbox
from virnucpro_bus.publish.totals import Totals
from virnucpro_bus.publish.values import as_device, as_name, as_reason
from virnucpro_bus.system.console import say

ADDRESS_VARIABLE = "VIRNUCPRO_BUS"
RUN_VARIABLE = "VIRNUCPRO_RUN"
HEARTBEAT_SECONDS = 1.0
LEAST_HEARTBEAT_SECONDS = 0.001
_SPOOL_RETRY_SECONDS = 0.05
"""Between two attempts to send spooled events."""
_SPOOL_PAUSE_SECONDS = 0.0005
"""Between two parts of the spool, so that a thread that waits to publish gets the lock."""
_FORKED = "this publisher was made before fork(): call Publisher.connect in the child"


def _refuse(frame: bytes) -> None:
    """Take the place of sending in a forked child, so that no event has to be checked for that."""
    raise ForkedPublisherError(_FORKED)


class EventSink(Protocol):
    """Anything that accepts events: a Publisher, the coordinator's hub, a list in a test."""

    def publish(self, event: ev.Fact) -> object:
        """Accept one event. Never waits."""
        ...


class Publisher:
    """Publishes one stream of events. Safe to use from several threads; not across fork().

    Events that cannot be sent now (no hub yet, or it does not read) are spooled, up to a limit; what exceeds it is
    dropped and counted in the heartbeats. A thread sends a heartbeat every second and empties the spool.
    """

    def __init__(
        self,
        address: str = "",
        *,
        outbox: FrameOutbox | None = None,
        device: ev.Device | None = None,
        source: str | None = None,
        epoch: int | None = None,
        run: str = "",
        host: str | None = None,
        clock: Clock | None = None,
        heartbeat_seconds: float | None = HEARTBEAT_SECONDS,
        loading: bool = False,
    ) -> None:
        """Connect to the hub at `address`, and wait at most 1 s until it subscribes; or send through `outbox`.

        `device` None: a source without a device (coordinator, sampler). `source` None: named after the process id.
        `epoch` None: the time. `heartbeat_seconds` None: no heartbeats. `loading`: not ready for files before
        `ready` is called. Raises AddressError for an unusable address, ValueError for a device or a number that no
        event can carry.
        """
        self._clock = clock or SystemClock()
        epoch = None if epoch is None else as_count("epoch", epoch)
        source = as_name(source or f"pid-{os.getpid()}")
        self._sequencer = Sequencer(
            self._clock, source=source, run=as_name(run), epoch=epoch, host=host and as_name(host)
        )
        if device is not None:
            device = as_device("device", device)
        if heartbeat_seconds is not None:
            heartbeat_seconds = as_seconds("heartbeat_seconds", heartbeat_seconds, least=LEAST_HEARTBEAT_SECONDS)
        self._device_key = device.key if device is not None else ""
        self._totals = Totals(self._device_key, loading=loading)
        self._forked = False
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._outbox: FrameOutbox = Outbox(address, self._clock) if outbox is None else outbox
        # Looked up once: every event passes through both.
        self._next_envelope, self._send = self._sequencer.next_envelope, self._outbox.send
        # Not atexit: a child forked by multiprocessing ends without it, and would lose what it has just sent.
        self._at_exit = Finalize(None, self.close, exitpriority=0)
        self._refuse_after_fork()
        if device is not None:
            self.publish(ev.WorkerStarted(device, os.getpid(), loading, gpus_counted_by(device.key)))
        self._thread: threading.Thread | None = None
        if heartbeat_seconds is not None:
            self._thread = threading.Thread(
                target=self._keep_alive, args=(heartbeat_seconds,), name="bus-heartbeat", daemon=True
            )
            self._thread.start()

    @classmethod
    def connect(
        cls,
        address: str | None = None,
        *,
        device: int | str | ev.Device | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Publisher:
        """Join a bus from any worker script.

        `address` None: the environment variable VIRNUCPRO_BUS. `device` is a GPU UUID, a CUDA ordinal, any name,
        or a Device; None: found as `own_device.py` says. `environment` None: that of this process. Raises
        AddressError when there is no address, or an unusable one, and ValueError for a `device` that is none of
        these.
        """
        environment = os.environ if environment is None else environment
        address = address or environment.get(ADDRESS_VARIABLE)
        if not address:
            raise AddressError(f"no bus address: pass one, or set {ADDRESS_VARIABLE} (the hub prints it)")
        named = None if device is None else as_device("device", device)
        chosen = find_own_device(environment, named)
        return cls(address, device=chosen, run=environment.get(RUN_VARIABLE, ""))

    # One method per event of a worker. None of them ends the program that calls it: where a value cannot be sent,
    # the event is dropped and counted, and the first one is reported.

    def ready(self) -> None:
        """Report, at once, that this worker has finished loading and can process files."""
        self._totals.ready()
        self.publish(self._heartbeat())

    def file_started(self, file: str | os.PathLike[str], *, attempt: int = 0) -> None:
        """Report that this worker starts `file`, a path of which only the last part is sent."""
        self._publish_made(worker_events.file_started, file, attempt)

    def file_progress(
        self, file: str | os.PathLike[str], sequences: int, *, total: int | None = None, attempt: int = 0
    ) -> None:
        """Report that `sequences` of `file` are done since the start of this attempt, of `total` if known."""
        self._publish_made(worker_events.file_progress, file, sequences, total, attempt)

    def file_completed(
        self, file: str | os.PathLike[str], *, sequences: int, duration_seconds: float, attempt: int = 0
    ) -> None:
        """Report that `file` is done. A negative duration, by a clock that was set back, is sent as 0."""
        self._publish_made(worker_events.file_completed, file, sequences, duration_seconds, attempt)

    def file_failed(
        self,
        file: str | os.PathLike[str],
        reason: str | BaseException | None,
        *,
        duration_seconds: float = 0.0,
        attempt: int = 0,
    ) -> None:
        """Report that `file` failed for good; `reason` is one line, or the exception that was raised."""
        self._publish_made(worker_events.file_failed, file, reason, duration_seconds, attempt)

    def work_stolen(
        self,
        *,
        source: int | str | ev.Device,
        file: str | os.PathLike[str],
        attempt: int = 0,
        stolen_at_ns: int | None = None,
    ) -> None:
        """Report that this worker's device took `file` from the queue of the device `source`.

        `stolen_at_ns` is the time of the decision in nanoseconds since 1970; None: now.
        """
        at_ns = self._clock.wall_ns() if stolen_at_ns is None else stolen_at_ns
        self._publish_made(worker_events.work_stolen, source, file, attempt, at_ns)

    def completion(
        self, file: str | os.PathLike[str], *, sequences: int, duration_seconds: float, attempt: int = 0
    ) -> ev.FileCompleted:
        """Return the event that `file_completed` publishes, for a worker that has it acknowledged first.

        Raises ValueError for a value that no event can carry.
        """
        return worker_events.file_completed(self._device_key, file, sequences, duration_seconds, attempt)

    # Any event.

    def publish(self, event: ev.Fact) -> None:
        """Number and send one event. Never waits. Raises ForkedPublisherError in a forked child.

        An event that cannot be encoded is reported once, and is dropped and counted.
        """
        try:
            with self._lock:
                self._send(encode(self._next_envelope(event)))
        except ForkedPublisherError:
            raise
        except Exception as error:  # whatever is wrong with the event, the caller's own work is not at fault
            self._reject(type(event).__name__, error)

    def prepare(self, event: ev.Fact) -> bytes:
        """Number an event now and return its frame, for `send_prepared` once it was acknowledged elsewhere."""
        with self._lock:
            if self._forked:
                raise ForkedPublisherError(_FORKED)
            return encode(self._sequencer.next_envelope(event))

    def send_prepared(self, frame: bytes, event: ev.Fact) -> None:
        """Send the frame that `prepare` returned for `event`."""
        with self._lock:
            self._totals.add(event)
            self._send(frame)

    def send_prepared_as(self, frame: bytes, event: ev.Fact) -> None:
        """Send `event` under the number that `prepare` gave another event, which is not to be published."""
        prepared = decode(frame)
        make: Any = ev.ENVELOPES[type(event)]
        header = [getattr(prepared, name) for name in ev.Envelope.__struct_fields__]
        self.send_prepared(encode(make(*header, event)), event)

    def _refuse_after_fork(self) -> None:
        """Make the copy in a forked child refuse to work: its sockets are broken, its lock may be held for ever.

        A hook, because comparing the process id at each event costs as much as encoding it.
        """
        publisher = weakref.ref(self)

        def in_child() -> None:
            copy = publisher()
            if copy is not None:
                copy._forked, copy._lock, copy._send = True, threading.Lock(), _refuse

        os.register_at_fork(after_in_child=in_child)

    def _publish_made(self, make: Callable[..., ev.Fact], *values: object) -> None:
        """Publish the event that `make` makes of this worker's device and `values`, or reject it."""
        try:
            event = make(self._device_key, *values)
            with self._lock:
                self._totals.add(event)
                self._send(encode(self._next_envelope(event)))
        except ForkedPublisherError:
            raise
        except Exception as error:  # a value may be of any class
            self._reject(make.__name__, error)

    def _reject(self, what: str, error: Exception) -> None:
        """Count an event that cannot be sent, and report the first one."""
        with self._lock:
            self._totals.rejected += 1
            is_first = self._totals.rejected == 1
        if is_first:
            say(f"{what}: {error}; the event is dropped, and so are later ones that cannot be sent")

    def _keep_alive(self, heartbeat_seconds: float) -> None:
        due_ns = self._clock.mono_ns()
        has_more = False
        while True:
            pause_seconds = _SPOOL_RETRY_SECONDS if self._outbox.pending else heartbeat_seconds
            if self._closed.wait(_SPOOL_PAUSE_SECONDS if has_more else pause_seconds):
                return
            with self._lock:
                has_more = self._outbox.flush_spool()
            now_ns = self._clock.mono_ns()
            if now_ns >= due_ns:
                due_ns = now_ns + int(heartbeat_seconds * 0.9e9)
                self.publish(self._heartbeat())

    def _heartbeat(self) -> ev.Heartbeat:
        return self._totals.heartbeat(self._outbox.dropped)

    def close(self, reason: str | BaseException | None = "finished") -> None:
        """Publish the last heartbeat and WorkerStopped, and send what is spooled. Safe to call twice.

        Takes at most about 2 s if a hub is subscribed, no time otherwise. Reports it if no hub has ever been.
        """
        if self._closed.is_set() or self._forked:
            return
        self._closed.set()
        self._at_exit.cancel()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.publish(self._heartbeat())
        if self._device_key:
            self.publish(ev.WorkerStopped(self._device_key, as_reason(reason)))
        with self._lock:
            self._outbox.close()
        if not self._outbox.was_connected:
            say(
                f"{self._outbox.address}: no hub has answered, and {self._outbox.dropped} events were never sent; "
                "check the address, or start the hub first"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
