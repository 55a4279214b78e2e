"""One stream of events: numbers them, sends them, repeats its totals in heartbeats, and ends in order.

A copy of it in a forked child begins a stream of its own, with its first event: the sockets of the parent must not
be touched there.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.util import Finalize
from typing import Any

from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.events.encoder import encode, encode_in_place_of
from virnucpro_bus.events.envelope import Envelope, Sequencer
from virnucpro_bus.own_device import gpus_counted_by
from virnucpro_bus.passed_numbers import as_count, as_seconds
from virnucpro_bus.publish.file_names import FileNames
from virnucpro_bus.publish.outbox import FrameOutbox, NoOutbox, Outbox
from virnucpro_bus.publish.totals import Totals
from virnucpro_bus.publish.values import as_device, as_name, as_reason
from virnucpro_bus.system.console import say
from virnucpro_bus.system.process_usage import UNKNOWN_USAGE, ProcessUsage, own_usage

HEARTBEAT_SECONDS = 1.0
LEAST_HEARTBEAT_SECONDS = 0.001
_SPOOL_RETRY_SECONDS = 0.05
"""Between two attempts to send spooled events."""
_SPOOL_PAUSE_SECONDS = 0.0005
"""Between two parts of the spool, so that a thread that waits to publish gets the lock."""
_JOIN_SECONDS = 1.0
"""Limit for the end of the thread: a signal handler that closes may have interrupted who holds the lock."""


def _refuse(event: ev.Fact, wall_ns: int | None = None, mono_ns: int | None = None) -> Envelope:
    """Take the place of numbering in a closed publisher, so that no event has to be checked for that."""
    raise ValueError("this publisher is closed")


class Sender:
    """Sends one stream of events. Safe to use from several threads, in signal handlers and after fork()."""

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
        measures: bool = False,
    ) -> None:
        """Connect to the hub at `address`, and wait at most 1 s until it subscribes; or send through `outbox`.

        `device` None: a source without a device (coordinator, sampler). `source` None: named after the process id.
        `epoch` None: the time. `heartbeat_seconds` None: no heartbeats. `loading`: not ready for files before
        `ready` is called. `measures`: heartbeats have what this process uses. Raises AddressError for an unusable
        address, ValueError for a device or a number that no event can carry.
        """
        self._clock = clock or SystemClock()
        self._has_own_name = source is not None
        self._stream: dict[str, Any] = {"run": as_name(run), "host": host and as_name(host)}
        if device is not None:
            device = as_device("device", device)
        if heartbeat_seconds is not None:
            heartbeat_seconds = as_seconds("heartbeat_seconds", heartbeat_seconds, least=LEAST_HEARTBEAT_SECONDS)
        self._heartbeat_seconds = heartbeat_seconds
        self._device = device
        self._device_key = device.key if device is not None else ""
        self._names = FileNames()
        # Re-entrant: a signal handler may publish while the thread that it interrupts holds the lock.
        self._lock = threading.RLock()
        self._is_closed = self._is_inherited = False
        self._closing = threading.Event()
        self._measures = measures
        self._totals = Totals(self._device_key, loading=loading)
        epoch = None if epoch is None else as_count("epoch", epoch)
        self._begin(Outbox(address, self._clock) if outbox is None else outbox, source, epoch, loading=loading)
        self._follow_forks()

    @property
    def connected(self) -> bool:
        """Whether a hub takes the events now. That it has come or gone is noticed within a second."""
        return self._outbox.is_connected and not self._is_closed

    def _begin(
        self, outbox: FrameOutbox, source: str | None = None, epoch: int | None = None, *, loading: bool = False
    ) -> None:
        """Begin a stream through `outbox`."""
        source = as_name(source or f"pid-{os.getpid()}")
        self._outbox = outbox
        self._sequencer = Sequencer(self._clock, source=source, epoch=epoch, **self._stream)
        # Looked up once: every event passes through both.
        self._next_envelope: Callable[..., Envelope] = self._sequencer.next_envelope
        self._send: Callable[[bytes], None] = outbox.send
        # Not atexit: a child forked by multiprocessing ends without it, and would lose what it has just sent.
        self._at_exit = Finalize(None, self.close, exitpriority=0)
        if self._device is not None:
            counted = gpus_counted_by(self._device_key)
            self.publish(ev.WorkerStarted(self._device, os.getpid(), loading, counted))
        self._thread: threading.Thread | None = None
        if self._heartbeat_seconds is not None and not isinstance(outbox, NoOutbox):
            thread = threading.Thread(
                target=self._keep_alive, args=(self._heartbeat_seconds,), name="bus-heartbeat", daemon=True
            )
            with suppress(RuntimeError):  # an interpreter that ends starts no threads
                thread.start()
                self._thread = thread

    # Any event.

    def publish(self, event: ev.Fact) -> None:
        """Number and send one event. Never waits, except for a first event after fork(), which connects.

        An event that cannot be encoded is reported once, and is dropped and counted.
        """
        try:
            with self._lock:
                self._send(encode(self._next_envelope(event)))
        except Exception as error:  # whatever is wrong with the event, the caller's own work is not at fault
            self._reject(type(event).__name__, error)

    def prepare(self, event: ev.Fact, wall_ns: int | None = None, mono_ns: int | None = None) -> bytes:
        """Number an event now and return its frame, for `send_prepared` once it was acknowledged elsewhere.

        The times are those of the event; None: now.
        """
        with self._lock:
            return encode(self._next_envelope(event, wall_ns, mono_ns))

    def send_prepared(self, frame: bytes, event: ev.Fact) -> None:
        """Send the frame that `prepare` returned for `event`."""
        with self._lock:
            self._totals.add(event)
            self._send(frame)

    def send_prepared_as(self, frame: bytes, event: ev.Fact) -> None:
        """Send `event` under the number that `prepare` gave another event, which is not to be published."""
        self.send_prepared(encode_in_place_of(frame, event), event)

    def _publish_own(self, event: ev.Fact) -> None:
        """Count, number and send an event of this worker. Raises whatever keeps it from being sent."""
        with self._lock:
            self._totals.add(event)
            self._send(encode(self._next_envelope(event)))

    def _reject(self, what: str, error: Exception) -> None:
        """Count an event that cannot be sent, and report the first one."""
        with self._lock:
            self._totals.rejected += 1
            is_first = self._totals.rejected == 1
        if is_first:
            say(f"{what}: {error}; the event is dropped, and so are later ones that cannot be sent")

    # After fork().

    def _follow_forks(self) -> None:
        """Have the copy in a forked child begin anew. A hook: comparing process ids costs as much as encoding."""
        sender = weakref.ref(self)

        def in_child() -> None:
            copy = sender()
            if copy is not None:
                copy._forget_parent()

        os.register_at_fork(after_in_child=in_child)

    def _forget_parent(self) -> None:
        """Leave the parent's connection alone, and connect with the first event: most children have none.

        The lock of the parent may be held here for ever.
        """
        self._lock = threading.RLock()
        if not self._is_closed:
            self._closing = threading.Event()
            self._thread = None
            self._totals = Totals(self._device_key, loading=False)
            self._is_inherited = True
            self._next_envelope, self._send = self._begin_in_child, lambda frame: self._send(frame)

    def _begin_in_child(self, event: ev.Fact, wall_ns: int | None = None, mono_ns: int | None = None) -> Envelope:
        """Begin this child's own stream, and number its first event. A source with a name is one process only."""
        inherited, name = self._outbox, self._sequencer.source
        self._is_inherited = False
        outbox: FrameOutbox = NoOutbox(
            f"{name}: this publisher was made before fork(), and has no connection here"
        )
        if isinstance(inherited, NoOutbox):
            outbox = NoOutbox(inherited.problem)
        elif isinstance(inherited, Outbox) and not self._has_own_name:
            with suppress(Exception):  # no more sockets or files can be opened
                outbox = Outbox(inherited.address, self._clock)
        self._begin(outbox)
        return self._next_envelope(event, wall_ns, mono_ns)

    # Heartbeats and the end.

    def _keep_alive(self, heartbeat_seconds: float) -> None:
        closing, lock = self._closing, self._lock
        due_ns = self._clock.mono_ns()
        has_more = False
        while True:
            pause_seconds = _SPOOL_RETRY_SECONDS if self._outbox.pending else heartbeat_seconds
            if closing.wait(_SPOOL_PAUSE_SECONDS if has_more else pause_seconds):
                return
            is_due = self._clock.mono_ns() >= due_ns
            # Not with the lock, for which those wait that publish.
            usage = own_usage() if is_due and self._measures else UNKNOWN_USAGE
            with lock:
                if self._is_closed:
                    return
                has_more = self._outbox.flush_spool()
                if is_due:
                    due_ns = self._clock.mono_ns() + int(heartbeat_seconds * 0.9e9)
                    self.publish(self._heartbeat(usage))

    def _heartbeat(self, usage: ProcessUsage = UNKNOWN_USAGE) -> ev.Heartbeat:
        return self._totals.heartbeat(self._outbox.dropped, usage)

    def close(self, reason: str | BaseException | None = "finished") -> None:
        """Publish the last heartbeat and WorkerStopped, and send what is spooled. Safe to call twice.

        Takes at most about 2 s if a hub is subscribed, no time otherwise. Prints how many events were never sent,
        where a hub was named.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if self._is_inherited:
            self._next_envelope = _refuse
            return
        self._closing.set()
        self._at_exit.cancel()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)
        with self._lock:
            self.publish(self._heartbeat())
            if self._device_key:
                self.publish(ev.WorkerStopped(self._device_key, as_reason(reason)))
            self._outbox.close()
            self._next_envelope = _refuse
        self._report_unsent(last_events=1 + bool(self._device_key))

    def _report_unsent(self, last_events: int) -> None:
        """Print how many events were never sent. A hub that went before the `last_events` is no trouble."""
        outbox = self._outbox
        unsent = f"{outbox.dropped} events were never sent"
        if isinstance(outbox, NoOutbox):
            if outbox.problem:
                say(f"{outbox.problem}; {unsent}")
        elif not outbox.was_connected:
            say(f"{outbox.address}: no hub has answered, and {unsent}; check the address, or start the hub first")
        elif outbox.dropped > last_events:
            say(f"{outbox.address}: {unsent}; the hub was gone, or did not read them")
