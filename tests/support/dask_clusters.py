"""A Dask cluster of processes in a lab: a scheduler and workers, as people start them on several machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.lab import Lab, Started, wait_until

DASK = Path(sys.executable).with_name("dask")
_QUIET = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")


class DaskCluster:
    """A scheduler on the loopback interface, and the workers that were added."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.scheduler_file = lab.folder / "scheduler.json"
        where = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", self.scheduler_file)
        self.scheduler = lab.start("scheduler", *where, *_QUIET, program=DASK)
        self.scheduler.until(self._is_written, "the scheduler's file")
        self.address: str = json.loads(self.scheduler_file.read_text())["address"]
        self.workers: dict[str, Started] = {}

    @property
    def options(self) -> tuple[str, ...]:
        """For `run`."""
        return ("--engine", "dask", "--scheduler", self.address)

    def add(self, name: str, *arguments: str, prefix: Sequence[str] = (), **environment: str) -> Started:
        """Start a worker, and wait until it has joined."""
        self.start_worker(name, *arguments, prefix=prefix, **environment)
        self.until_joined(name)
        return self.workers[name]

    def start_worker(self, name: str, *arguments: str, prefix: Sequence[str] = (), **environment: str) -> None:
        """Start a worker."""
        host = ("--host", "127.0.0.1", "--nthreads", "1", "--memory-limit", "0", *_QUIET)
        self.workers[name] = self._lab.start(
            "worker", self.address, "--name", name, *host, *arguments, program=DASK, prefix=prefix, **environment
        )

    def until_joined(self, name: str) -> None:
        """Wait until a worker has joined."""
        self.workers[name].until_it_says("Registered to")

    def says(self, name: str, part: str) -> bool:
        """Whether a worker has logged `part`."""
        return part in self.workers[name].stderr

    def stop(self) -> None:
        """End all of it."""
        for process in (*self.workers.values(), self.scheduler):
            process.process.terminate()
        for process in (*self.workers.values(), self.scheduler):
            wait_until(lambda process=process: not process.running, "the cluster has ended")  # type: ignore[misc]

    def _is_written(self) -> bool:
        try:
            return "address" in json.loads(self.scheduler_file.read_text())
        except (OSError, ValueError):
            return False
