"""The sending end: numbers events and puts them on the bus without ever waiting for anybody.

Two lines are enough in somebody else's worker:

    bus = Publisher.connect()                       # address from VIRNUCPRO_BUS
    bus.file_completed("a.fa", sequences=250, duration_seconds=3.2)
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from multiprocessing.util import Finalize
from typing import Any, Protocol, Self

from msgspec.structs import replace

from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.devices import device_from_environment, device_of
from virnucpro_bus.errors import AddressError, ForkedPublisherError
from virnucpro_bus.events.codec import decode, encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import MAX_COUNT, NAME_CHARACTERS, REASON_CHARACTERS, STARTING
from virnucpro_bus.publish.outbox import Outbox

ADDRESS_VARIABLE = "VIRNUCPRO_BUS"
RUN_VARIABLE = "VIRNUCPRO_RUN"
HEARTBEAT_SECONDS = 1.0
_SPOOL_RETRY_SECONDS = 0.05
_SPOOL_PAUSE_SECONDS = 0.0005
"""Between two pieces of the spool, so that whoever waits to publish gets his turn."""
_FORKED = "this publisher was made before fork(): call Publisher.connect in the child"


class EventSink(Protocol):
    """Anything that takes events: a Publisher, the coordinator's hub, a list in a test."""

    def publish(self, event: ev.Fact) -> object:
        """Take one event; never waits."""
        ...


class Publisher:
    """One stream of events. Safe to use from several threads; not across fork().

    Events that cannot be sent now (no hub yet, or it stands still) wait in a spool of bounded length; what falls
    off it is counted and told in the heartbeats. A thread sends a heartbeat every second and empties the spool.
    """

    def __init__(
        self,
        address: str,
        *,
        device: ev.Device | None = None,
        source: str | None = None,
        epoch: int | None = None,
        run: str = "",
        host: str | None = None,
        clock: Clock | None = None,
        heartbeat_seconds: float | None = HEARTBEAT_SECONDS,
        loading: bool = False,
    ) -> None:
        """Connect to the hub at `address` and wait at most 1 s for it to listen.

        `device` None is a source that works on no device (coordinator, sampler). `source` defaults to the process
        id, `epoch` to the time, `heartbeat_seconds` None sends none. `loading`: it can do no file before it says
        `ready`. Raises AddressError for an unusable address.
        """
        self._clock = clock or SystemClock()
        source = _key(source or f"pid-{os.getpid()}")
        self._stamp = Sequencer(self._clock, source=source, run=_key(run), epoch=epoch, host=host)
        if device is not None:
            device = replace(device, key=_key(device.key), name=_key(device.name))
        self._device_key = device.key if device is not None else ""
        self._state = STARTING if loading else "idle"
        self._completed = self._failed = self._sequences = self._steals = 0
        self._forked = False
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._outbox = Outbox(address, self._clock)
        # Looked up once: every event passes through both.
        self._envelop, self._send = self._stamp.next_envelope, self._outbox.send
        # Not atexit: a child that multiprocessing has forked ends without it and would lose what it has just sent.
        self._at_exit = Finalize(None, self.close, exitpriority=0)
        self._notice_fork()
        if device is not None:
            self.publish(ev.WorkerStarted(device, os.getpid()))
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
        device: int | str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Publisher:
        """Join a bus from any worker script.

        `address` defaults to the environment variable VIRNUCPRO_BUS (raises AddressError when neither is given).
        `device` is a GPU UUID, a CUDA ordinal, or any name; by default it is told from CUDA_VISIBLE_DEVICES and
        LOCAL_RANK.
        """
        environment = os.environ if environment is None else environment
        address = address or environment.get(ADDRESS_VARIABLE)
        if not address:
            raise AddressError(f"no bus address: pass one, or set {ADDRESS_VARIABLE} (the hub prints it)")
        chosen = device_from_environment(environment) if device is None else device_of(str(device))
        return cls(address, device=chosen, run=environment.get(RUN_VARIABLE, ""))

    # What a worker says. A number that cannot be right (negative, NaN) raises ValueError.

    def ready(self) -> None:
        """From now on this worker, which was loading, can do files; told at once."""
        self._state = "idle"
        self.publish(self._heartbeat())

    def file_started(self, file: str | os.PathLike[str], *, attempt: int = 0) -> None:
        """This worker begins `file` (a path; only its name is sent)."""
        self._state = "busy"
        self.publish(ev.FileStarted(self._device_key, _name(file), _count("attempt", attempt)))

    def file_progress(self, file: str | os.PathLike[str], sequences: int, *, attempt: int = 0) -> None:
        """`sequences` of `file` are done so far."""
        attempt, sequences = _count("attempt", attempt), _count("sequences", sequences)
        self.publish(ev.FileProgress(self._device_key, _name(file), attempt, sequences))

    def file_completed(
        self, file: str | os.PathLike[str], *, sequences: int, duration_seconds: float, attempt: int = 0
    ) -> None:
        """`file` is done."""
        self._tell(self.completion(file, sequences=sequences, duration_seconds=duration_seconds, attempt=attempt))

    def file_failed(
        self, file: str | os.PathLike[str], reason: str, *, duration_seconds: float = 0.0, attempt: int = 0
    ) -> None:
        """`file` failed for good; `reason` in one line."""
        attempt, seconds = _count("attempt", attempt), _seconds(duration_seconds)
        self._tell(
            ev.FileFailed(self._device_key, _name(file), attempt, _text(reason)[:REASON_CHARACTERS], seconds)
        )

    def work_stolen(
        self, *, source: int | str, file: str | os.PathLike[str], attempt: int = 0, stolen_at_ns: int | None = None
    ) -> None:
        """This worker's device took `file` out of the queue of the device `source`."""
        attempt = _count("attempt", attempt)
        at_ns = _count("stolen_at_ns", self._clock.wall_ns() if stolen_at_ns is None else stolen_at_ns)
        victim = _key(device_of(str(source)).key)
        self._tell(ev.WorkStolen(self._device_key, victim, _name(file), attempt, at_ns))

    def completion(
        self, file: str | os.PathLike[str], *, sequences: int, duration_seconds: float, attempt: int = 0
    ) -> ev.FileCompleted:
        """The event that `file_completed` publishes, for a worker that has it acknowledged first."""
        attempt, sequences = _count("attempt", attempt), _count("sequences", sequences)
        return ev.FileCompleted(self._device_key, _name(file), attempt, sequences, _seconds(duration_seconds))

    # Sending.

    def publish(self, event: ev.Fact) -> None:
        """Number and send one event. Never waits. Raises ForkedPublisherError in a forked child."""
        with self._lock:
            if self._forked:
                raise ForkedPublisherError(_FORKED)
            self._send(encode(self._envelop(event)))

    def prepare(self, event: ev.Fact) -> bytes:
        """Number an event now; its frame goes out by `send_stamped`, after it was acknowledged on another way."""
        with self._lock:
            if self._forked:
                raise ForkedPublisherError(_FORKED)
            return encode(self._stamp.next_envelope(event))

    def send_prepared(self, frame: bytes, event: ev.Fact) -> None:
        """Send what `stamp` made of `event`."""
        with self._lock:
            self._count(event)
            self._send(frame)

    def send_prepared_as(self, frame: bytes, event: ev.Fact) -> None:
        """Send `event` under the number that `stamp` gave to another one, which is not to be told after all."""
        stamped = decode(frame)
        make: Any = ev.ENVELOPES[type(event)]
        header = [getattr(stamped, name) for name in ev.Envelope.__struct_fields__]
        self.send_prepared(encode(make(*header, event)), event)

    def _notice_fork(self) -> None:
        """In a forked child, whose sockets are broken and whose lock may be held for ever, refuse to work.

        A hook rather than a look at the process id, which costs as much as the whole encoding.
        """
        publisher = weakref.ref(self)

        def in_child() -> None:
            copy = publisher()
            if copy is not None:
                copy._forked, copy._lock = True, threading.Lock()

        os.register_at_fork(after_in_child=in_child)

    def _tell(self, event: ev.Fact) -> None:
        """Publish an event that the heartbeats' totals count."""
        with self._lock:
            self._count(event)
        self.publish(event)

    def _count(self, event: ev.Fact) -> None:
        """Keep the totals that the heartbeats carry."""
        if isinstance(event, ev.FileCompleted):
            self._completed += 1
            self._sequences += event.sequences
            self._state = "idle"
        elif isinstance(event, ev.FileFailed):
            self._failed += event.final
            self._state = "idle"
        elif isinstance(event, ev.WorkStolen):
            self._steals += 1

    def _keep_alive(self, heartbeat_seconds: float) -> None:
        due_ns = self._clock.mono_ns()
        more = False
        while True:
            pause_seconds = _SPOOL_RETRY_SECONDS if self._outbox.pending else heartbeat_seconds
            if self._closed.wait(_SPOOL_PAUSE_SECONDS if more else pause_seconds):
                return
            with self._lock:
                more = self._outbox.flush_spool()
            now_ns = self._clock.mono_ns()
            if now_ns >= due_ns:
                due_ns = now_ns + int(heartbeat_seconds * 0.9e9)
                self.publish(self._heartbeat())

    def _heartbeat(self) -> ev.Heartbeat:
        return ev.Heartbeat(
            self._device_key,
            self._state,
            self._completed,
            self._failed,
            self._sequences,
            self._steals,
            self._outbox.dropped,
        )

    def close(self, reason: str = "finished") -> None:
        """Say goodbye and send what is left: about 2 s at most if a hub listens. Safe to call twice."""
        if self._closed.is_set() or self._forked:
            return
        self._closed.set()
        self._at_exit.cancel()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.publish(self._heartbeat())
        if self._device_key:
            self.publish(ev.WorkerStopped(self._device_key, _text(reason)[:REASON_CHARACTERS]))
        with self._lock:
            self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _text(text: str) -> str:
    """Text as MessagePack can carry it: bytes of a name that are not UTF-8 become visible."""
    return text.encode(errors="backslashreplace").decode()


def _name(file: str | os.PathLike[str]) -> str:
    """A file's base name, cut to a sensible length."""
    return _text(os.path.basename(os.fspath(file)))[-REASON_CHARACTERS:]


def _key(name: str) -> str:
    """What a device or a source is called, cut to what an event can carry: one that is longer the hub refuses."""
    return _text(name)[:NAME_CHARACTERS]


def _count(name: str, number: int) -> int:
    count = int(number)
    if not 0 <= count <= MAX_COUNT:
        raise ValueError(f"{name} must be a count, not {number}")
    return count


def _seconds(number: float) -> float:
    seconds = float(number)
    if not 0.0 <= seconds <= 1e12:
        raise ValueError(f"duration_seconds must be a time of 0 or more, not {number}")
    return seconds
