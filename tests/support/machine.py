"""A run without processes and sockets: only what the launcher and two workers do to the disk.

The files go through the real attempt, commit, journal and resumption, in turns of two files, so that a test can
stop it between any two operations on the disk, or let one of them fail, and go on with what is left.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.support.plans import cpus
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.errors import EveryFileError
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.dedup import Deduplicator
from virnucpro_bus.events.envelope import Envelope, Sequencer
from virnucpro_bus.events.vocabulary import Fact, FileCompleted, FileFailed, FileStarted
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.run_folder import CAPTURE_NAME
from workers.commit.committer import Committer, FinishedAttempt
from workers.commit.result_store import ResultStore
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.inputs.find import find_inputs
from workers.inputs.input_file import InputFile
from workers.process.attempt import Outcome, RunJob, begin, begin_seal, perform, seal
from workers.protocol import Settled, Task, to_bytes
from workers.resume.past_folder import open_past_run
from workers.resume.resume import ResumePlan, plan_resume

SETTINGS = "settings"


def job(path: Path, output: Path) -> int:
    """Two results from every file, in a folder of their own where its name says so; a third if its text does."""
    text = path.read_text()
    name = "report" if path.stem == "deep" else path.stem
    (output / f"{name}.upper").write_text(text.upper())
    (output / f"{name}.size").mkdir()
    (output / f"{name}.size" / "bytes").write_text(str(len(text)))
    if "more" in text:
        (output / f"{name}.more").mkdir()
        (output / f"{name}.more" / "text").write_text(text)
    return text.count(">")


def attempt(job: RunJob, task: Task, disk: Disk) -> Outcome:
    """Make an attempt as a worker does, that works on one file at a time."""
    assert begin(task)
    return seal(task, perform(job, task), begin_seal(task, disk), disk)


def some_inputs(folder: Path) -> Sequence[InputFile]:
    """Five files; the results of one of them go to a folder of its own."""
    folder.mkdir()
    for name, length in (("one.fa", 10), ("two.fa", 8), ("deep.fa", 6), ("four.fa", 4), ("five.fa", 2)):
        (folder / name).write_text(f">{name}\n" + "acgt" * length)
    return find_inputs([folder]).files


class Machine:
    """One session of a run in `run_dir`, which goes on with what it finds there."""

    def __init__(self, run_dir: Path, files: Sequence[InputFile], disk: Disk, wall_seconds: int = 1) -> None:
        """`wall_seconds` is when it begins; sessions of one run begin one after the other."""
        run_dir.mkdir(exist_ok=True)
        self._clock = ManualClock(wall_seconds * NANOSECONDS)
        self._disk = disk
        self._store = ResultStore(run_dir, disk)
        path = run_dir / CAPTURE_NAME
        past = open_past_run(run_dir, SETTINGS, run_dir / "log", resume=True, force=False)
        before = ResumePlan(tuple(files)) if past is None else plan_resume(past, files, self._store)
        self.capture = CaptureWriter(path, self._clock, "run", disk=disk, resume=past is not None)
        self._sieve = Deduplicator()
        self._resumed = past is not None
        self._before = before
        self._stamp = Sequencer(self._clock, source="coordinator", run="run")
        devices = cpus(2)
        self._workers = [
            Sequencer(self._clock, source=f"worker-{at}", run="run", epoch=before.last_worker_epoch + 1)
            for at in range(len(devices))
        ]
        self.coordinator = WorkStealingCoordinator(
            devices,
            before.remaining,
            sink=self,
            clock=self._clock,
            settings=SETTINGS,
            done_before=before.done,
        )
        self.commits = Committer(self._store, self, self.coordinator)

    # The hub, as far as commits and the coordinator need it.

    def ingest(self, frames: list[bytes]) -> int:
        fresh = self._sieve.filter(frames)
        self.capture.append(fresh)
        return len(fresh)

    def record(self, frames: list[bytes], decoded: Sequence[Envelope] | None = None) -> None:
        self.capture.append(self._sieve.filter(frames), keep=True)

    def publish(self, event: Fact) -> None:
        self.record([encode(self._stamp.next_envelope(event))])

    def start(self) -> None:
        """Announce the run."""
        self._store.prepare(may_hold_files=self._resumed)
        self.coordinator.start()
        self.capture.flush()
        for event in self._before.events:
            self.publish(event)
        self.capture.sync()

    def work(self) -> None:
        """From the start to the end, as far as it can be reached."""
        self.start()
        reports: list[FinishedAttempt] = []
        while self.coordinator.unsettled and self.commits.stop_reason is None:
            if self.commits.ready():
                reports = reports or [report for at in range(2) if (report := self.attempt(at)) is not None]
            if self.commits.ready():
                self.commits.commit(reports)
                self.commits.tidy()
                reports = []
            self.wait(1)
        self.coordinator.finish(0)
        self.capture.close()

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self._clock.advance(seconds)
        self.capture.flush()

    def attempt(self, at: int) -> FinishedAttempt | None:
        """What a worker reports; None when there was nothing to do, or it has failed."""
        device = self.coordinator.devices[at].key
        held = self.coordinator.next_file(device)
        if held is None:
            return None
        stamp, output = self._workers[at], self._store.new_attempt()
        self.ingest([encode(stamp.next_envelope(FileStarted(device, held.file.id, held.attempt)))])
        self.capture.flush()
        task = Task(held.file.id, to_bytes(held.file.path), to_bytes(output), held.attempt, state=held.file.state)
        try:
            done = attempt(job, task, self._disk)
        except (OSError, EveryFileError) as error:
            of_every_file = isinstance(error, EveryFileError)
            self._fail(stamp, held, device, str(error), charged=not of_every_file)
            if of_every_file:
                self.commits.stop(str(error))
            return None
        event = FileCompleted(device, held.file.id, held.attempt, done.sequences, 1.0)
        envelope = stamp.next_envelope(event)
        settled = Settled(
            encode(envelope), done.manifest.size_bytes, done.manifest.digest, input_digest=done.input_digest
        )
        return FinishedAttempt(device, held, os.fspath(output), settled, envelope)

    def _fail(self, stamp: Sequencer, held: Assignment, device: str, reason: str, *, charged: bool) -> None:
        self.coordinator.record_file_failure(device, held.file.id, reason, 1.0, charged=charged)
        failed = FileFailed(device, held.file.id, held.attempt, reason, 1.0, charged)
        self.ingest([encode(stamp.next_envelope(failed))])
