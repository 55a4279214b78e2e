"""A bus of one run folder, ready for use: lock, capture, hub, bus.json and GPU sampler, taken down in order."""

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
    """Holds everything that a bus needs, from `open` to `close`. One thread owns it; `hub` is its loop."""

    def __init__(self, run_dir: Path, clock: Clock, disk: Disk | None = None) -> None:
        self.run_dir = run_dir
        self.run = f"run-{secrets.token_hex(4)}"
        self._goes_on = False
        self._disk = disk
        self._clock = clock
        self._folder = RunFolder(run_dir)
        self._sampler: subprocess.Popen[bytes] | None = None
        self.hub: Hub

    def claim(self) -> None:
        """Take the folder's lock before `open` does, to look at what is there. Raises UserError."""
        self._folder.claim()

    def resume(self, run: str) -> None:
        """Continue the capture that is in the folder, which is of this run, rather than begin one."""
        self.run, self._goes_on = run, True

    def open(self) -> Self:
        """Raises UserError when the folder cannot be used, is in use, or already holds a run."""
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

    def _open_capture(self) -> CaptureWriter:
        path = self._folder.capture_path
        try:
            if self._goes_on:
                decompress_capture(path)
            return CaptureWriter(path, self._clock, self.run, disk=self._disk, resume=self._goes_on)
        except FileExistsError:
            raise UserError(
                f"{self.run_dir}: already holds a run ({path.name}); choose another folder, or remove it first"
            ) from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None

    def log_path(self, name: str) -> Path:
        """Where a helper process called `name` writes what it has to say."""
        return self.run_dir / LOG_FOLDER / f"{name}.log"

    def address(self, name: str) -> str:
        """The address for a further socket beside the hub's own."""
        return self._folder.address(name)

    def start_sampler(self, *, simulated: bool = False) -> None:
        """Start the process that puts GPU samples on the bus; it ends by itself where there is no GPU.

        `simulated` has it make up samples of the run's simulated GPUs instead.
        """
        command = self_command("sample", str(self.run_dir), *(["--simulate"] if simulated else []))
        self._sampler = spawn_logged(command, self.log_path("sampler"))

    def stop_sampler(self) -> None:
        """End the sampler; its last words are on the bus afterwards."""
        if self._sampler is not None:
            stop(self._sampler)
            self._sampler = None

    def close(self) -> None:
        """Stop the sampler, take in what is under way, close the capture, free the folder. Safe to call twice."""
        self.stop_sampler()
        self.hub.close()
        self.release()
        logs = self.run_dir / LOG_FOLDER
        if logs.is_dir():
            for log in logs.glob("*.log"):
                if log.stat().st_size == 0:
                    log.unlink()
            try:
                logs.rmdir()
            except OSError:
                pass  # somebody had something to say

    def release(self) -> None:
        """Give the folder's lock back where `open` was not called after `claim`."""
        self._folder.release()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *exc: object) -> None:
        self.close()


class HubSink:
    """An EventSink in the hub's own process: straight into it. One thread."""

    def __init__(self, server: BusServer, clock: Clock, last_epoch: int = 0) -> None:
        """`server` may be opened later, before the first event. `last_epoch`: ours comes after it."""
        self._server = server
        self._stamp = Sequencer(
            clock, source="coordinator", run=server.run, epoch=max(clock.wall_ns(), last_epoch + 1)
        )

    def publish(self, event: Fact) -> None:
        """Stamp, journal and forward one event."""
        if not self._server.hub.ingest([encode(self._stamp.next_envelope(event))]):
            raise RuntimeError(f"the hub has refused an event of our own: {event!r:.300}")
