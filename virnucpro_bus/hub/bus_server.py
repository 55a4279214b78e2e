"""Sets up the bus of a run folder and takes it down in order: lock, capture, hub, bus.json and GPU sampler."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from pathlib import Path
from typing import Self

from virnucpro_bus.capture.compression import decompress_capture
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import Fact
from virnucpro_bus.hub.hub import Hub
from virnucpro_bus.run_folder import BusAddresses, RunFolder
from virnucpro_bus.system.child_process import self_command, spawn_logged, stop
from virnucpro_bus.system.disk import Disk

LOG_FOLDER = "logs"


class BusServer:
    """A hub and everything it needs: the folder's lock, the capture, bus.json and the sampler. Not thread-safe."""

    def __init__(self, run_dir: Path, clock: Clock, disk: Disk | None = None) -> None:
        """Does nothing in `run_dir` yet. `disk` is what the capture is written with; None is the real disk."""
        self.run_dir = run_dir
        self.run = f"run-{secrets.token_hex(4)}"
        """The run's id."""
        self.hub: Hub
        """The loop of the bus; set by `open`."""
        self._disk = disk
        self._clock = clock
        self._folder = RunFolder(run_dir)
        self._is_resumed = False
        self._sampler: subprocess.Popen[bytes] | None = None

    def claim(self) -> None:
        """Take the folder's lock before `open` does, so that its contents can be read. Raises UserError."""
        self._folder.claim()

    def release(self) -> None:
        """Release the folder's lock where `open` was not called after `claim`."""
        self._folder.release()

    def resume(self, run: str) -> None:
        """Let `open` continue the capture in the folder, which is of this run, instead of creating one.

        Decompresses it, which takes seconds for a long run. Raises UserError.
        """
        self.run, self._is_resumed = run, True
        path = self._folder.capture_path
        try:
            decompress_capture(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None

    def open(self) -> Self:
        """Start the bus. Raises UserError when the folder cannot be used, is in use, or already holds a run."""
        self._folder.claim()
        try:
            capture = self._open_capture()
            addresses = BusAddresses(
                run=self.run,
                host=socket.gethostname(),
                pid=os.getpid(),
                publish=self._folder.address("publish"),
                subscribe=self._folder.address("subscribe"),
                history=self._folder.address("history"),
            )
            self.hub = Hub(addresses, capture, self._clock)
            self._folder.announce(addresses)
        except BaseException:
            self._folder.release()
            raise
        return self

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
        """Stop the sampler, close hub and capture, release the folder, remove empty logs. Safe to call twice."""
        self.stop_sampler()
        self.hub.close()
        self.release()
        self._remove_empty_logs()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _open_capture(self) -> CaptureWriter:
        path = self._folder.capture_path
        try:
            return CaptureWriter(path, self._clock, self.run, disk=self._disk, resume=self._is_resumed)
        except FileExistsError:
            raise UserError(
                f"{self.run_dir}: already holds a run ({path.name}); choose another folder, or remove it first"
            ) from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None

    def _remove_empty_logs(self) -> None:
        logs = self.run_dir / LOG_FOLDER
        if not logs.is_dir():
            return
        for log in logs.glob("*.log"):
            if log.stat().st_size == 0:
                log.unlink()
        try:
            logs.rmdir()
        except OSError:
            pass  # it still has logs


class HubSink:
    """An EventSink that passes the coordinator's events directly to a hub in this process. Not thread-safe."""

    def __init__(self, server: BusServer, clock: Clock, last_epoch: int = 0) -> None:
        """`server` must be open before the first event. The epoch of these events comes after `last_epoch`."""
        self._server = server
        self._sequencer = Sequencer(
            clock, source="coordinator", run=server.run, epoch=max(clock.wall_ns(), last_epoch + 1)
        )

    def publish(self, event: Fact) -> None:
        """Number, journal and forward one event. Raises RuntimeError when the hub refuses it."""
        if not self._server.hub.ingest([encode(self._sequencer.next_envelope(event))]):
            raise RuntimeError(f"the hub refused an event of its own process: {event!r:.300}")
