"""Sets up the bus of a run folder and takes it down in order: lock, capture, hub, bus.json and GPU sampler."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Self

import zmq

from virnucpro_bus import run_registry
from virnucpro_bus.capture.compression import decompress_capture
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE, Sequencer
from virnucpro_bus.events.vocabulary import Fact
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.locks import NO_LOCKS
from virnucpro_bus.hub.hub import Hub
from virnucpro_bus.hub.own_run import OwnRun
from virnucpro_bus.hub.past_hub import PastHub, read_past_hub
from virnucpro_bus.run_folder import LOG_FOLDER, BusAddresses, RunFolder, announced_addresses
from virnucpro_bus.sockets import reason_of
from virnucpro_bus.system.child_process import self_command, spawn_logged, stop
from virnucpro_bus.system.console import say
from virnucpro_bus.system.open_files import allow_open_files

OPEN_FILES = 32
"""How many files and sockets a bus needs to have open, with one viewer."""
EVENTS_AT_ONCE = 64
"""How many events of a coordinator are in memory together: a plan has thousands, of up to 64 KiB."""


class BusServer:
    """A hub and everything it needs: the folder's lock, the capture, bus.json and the sampler. Not thread-safe."""

    def __init__(
        self, run_dir: Path, clock: Clock, disk: Disk | None = None, *, has_workers: bool = False
    ) -> None:
        """Does nothing in `run_dir` yet. `disk` is what the capture is written with; None is the real disk.

        `has_workers`: this process is the launcher of a run, and its workers publish at `worker_address`.
        """
        self.run_dir = run_dir
        self.run = f"run-{secrets.token_hex(4)}"
        """The run's id."""
        self.host = socket.gethostname()
        """The host that the run's own events name. A resumed run keeps it, whatever this machine is called."""
        self.worker_address = ""
        """Where the run's own workers publish; set by `open`, "" where there are none."""
        self.hub: Hub
        """The loop of the bus; set by `open`."""
        self._disk = disk
        self._clock = clock
        self._folder = RunFolder(run_dir)
        self._is_resumed = False
        self._has_warned = False
        self._has_workers = has_workers
        self._sampler: subprocess.Popen[bytes] | None = None

    def claim(self) -> None:
        """Take the folder's lock before `open` does, so that its contents can be read. Raises UserError."""
        allow_open_files(OPEN_FILES)
        self._folder.claim()
        if not self._folder.is_lock_enforced and not self._has_warned:
            self._has_warned = True
            say(f"{self.run_dir}: {NO_LOCKS}; start no second run in this folder while this one lasts")

    def release(self) -> None:
        """Release the folder's lock where `open` was not called after `claim`."""
        self._folder.release()

    def resume(self, run: str, host: str) -> None:
        """Let `open` continue the capture in the folder, which is of this run and host, instead of creating one.

        Either is "" where the capture does not hold it. Decompresses the capture, which takes seconds for a long
        run. Raises UserError.
        """
        self.run, self.host, self._is_resumed = run or self.run, host or self.host, True
        path = self._folder.capture_path
        try:
            decompress_capture(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None

    def resume_hub(self, *, ended: bool = False) -> PastHub | None:
        """Let `open` continue the capture of a hub without a launcher in the folder; claims the folder.

        That of a hub that was killed, and with `ended` also that of one that has ended in order. Returns that hub;
        None: there is none to continue. Raises UserError, also with `ended` where the folder holds a launched run.
        """
        self.claim()
        try:
            past = self._past_hub(ended=ended)
            if past is not None:
                self.resume(past.run, past.host)
        except BaseException:
            self._folder.release()
            raise
        return past

    def _past_hub(self, *, ended: bool) -> PastHub | None:
        capture, left = self._folder.capture_path, announced_addresses(self.run_dir)
        if not capture.exists():
            return None
        if left is not None:
            past = PastHub(left.run, left.run_host, left.has_launcher, was_killed=True)
        elif ended:
            past = read_past_hub(capture)
        else:
            return None
        if past.has_launcher and ended:
            raise UserError(
                f"{self.run_dir}: holds a run that `virnucpro-bus run --resume` continues; choose another folder"
            )
        return None if past.has_launcher else past

    def open(self) -> Self:
        """Start the bus. Raises UserError when the folder cannot be used, is in use, or already holds a run.

        It then leaves the folder as it was.
        """
        self.claim()
        try:
            capture = self._open_capture()
        except BaseException:
            self._folder.release()
            raise
        try:
            addresses = BusAddresses(
                run=self.run,
                host=socket.gethostname(),
                pid=os.getpid(),
                publish=self._folder.address("publish"),
                subscribe=self._folder.address("subscribe"),
                history=self._folder.address("history"),
                run_host=self.host,
                has_launcher=self._has_workers,
            )
            if self._has_workers:
                # In no file, and another one in each session: a worker of an earlier one cannot publish here.
                self.worker_address = self._folder.address(f"w{secrets.token_hex(4)}")
            own_run = None if self._has_workers else OwnRun(self._clock, self.run, self.host)
            self.hub = Hub(addresses, capture, self._clock, self.worker_address or None, own_run)
            if self._is_resumed:
                for batch in CaptureReader(self._folder.capture_path).batches():
                    self.hub.recall([record.frame for record in batch])
                self.hub.resume()
            self._folder.announce(addresses)
            run_registry.enter(self.run, self.run_dir, self._clock.wall_ns())
        except BaseException as error:
            self._close_failed(capture)
            if isinstance(error, zmq.ZMQError | OSError):
                raise UserError(f"{self.run_dir}: the bus cannot be opened: {reason_of(error)}") from None
            raise
        return self

    def remove_capture(self) -> None:
        """Remove the capture of a run that could not begin, if the disk permits it."""
        with suppress(OSError):
            self._folder.capture_path.unlink()

    def log_path(self, name: str) -> Path:
        """Return the log file of the helper process called `name`."""
        return self.run_dir / LOG_FOLDER / f"{name}.log"

    def address(self, name: str) -> str:
        """Return the address of a further socket called `name`, beside the hub's own."""
        return self._folder.address(name)

    def start_sampler(self, *, simulated: bool = False) -> None:
        """Start the process that publishes GPU samples; it ends by itself where there is no GPU.

        With `simulated` it publishes made-up samples of the run's simulated GPUs instead. Raises OSError.
        """
        command = self_command("sample", str(self.run_dir), *(["--simulate"] if simulated else []))
        self._sampler = spawn_logged(command, self.log_path("sampler"))

    def stop_sampler(self) -> None:
        """End the sampler; the hub can still ingest its last events afterwards."""
        if self._sampler is not None:
            stop(self._sampler)
            self._sampler = None

    def close(self) -> None:
        """Stop the sampler, close hub and capture, remove empty logs, release the folder. Safe to call twice."""
        self.stop_sampler()
        self.hub.close()
        self._remove_empty_logs()
        self.release()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _close_failed(self, capture: CaptureWriter) -> None:
        """Undo `open` as far as it got."""
        capture.close()
        if not self._is_resumed:
            self.remove_capture()
        self._folder.release()

    def _open_capture(self) -> CaptureWriter:
        path = self._folder.capture_path
        try:
            return CaptureWriter(
                path, self._clock, self.run, host=self.host, disk=self._disk, resume=self._is_resumed
            )
        except FileExistsError:
            raise UserError(
                f"{self.run_dir}: already holds a run ({path.name}); choose another folder, or add --resume to "
                "continue it"
            ) from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None

    def _remove_empty_logs(self) -> None:
        logs = self.run_dir / LOG_FOLDER
        if not logs.is_dir():
            return
        with suppress(OSError):  # the disk no longer permits it, or other logs remain
            for log in logs.glob("*.log"):
                if log.stat().st_size == 0:
                    log.unlink()
            logs.rmdir()


class HubSink:
    """A BatchSink that passes the coordinator's events directly to a hub in this process. Not thread-safe."""

    def __init__(self, server: BusServer, clock: Clock, last_epoch: int = 0) -> None:
        """`server` must be open before the first event. The epoch of these events comes after `last_epoch`."""
        self._server = server
        self._clock = clock
        self._sequencer = Sequencer(
            clock,
            source=COORDINATOR_SOURCE,
            run=server.run,
            epoch=max(clock.wall_ns(), last_epoch + 1),
            host=server.host,
        )

    def publish(self, event: Fact) -> None:
        """Number, journal and forward one event."""
        self.publish_all((event,))

    def publish_all(self, events: Iterable[Fact]) -> None:
        """Number, journal and forward events, in this order; those that are recorded together have one time."""
        remaining, number = iter(events), self._sequencer.next_envelope
        while batch := list(islice(remaining, EVENTS_AT_ONCE)):
            wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
            self._server.hub.record([encode(number(event, wall_ns, mono_ns)) for event in batch])
