"""The event vocabulary: what can be said on the bus, each kind declared once.

An event is a small frozen fact without addressing; an `Envelope` says who said it and when. Order and identity
are (host, source, epoch, seq) and never a clock; docs/events.md is checked against the declarations. Evolution: a
field is only ever appended, with a default; none is retyped, reordered or reused; the envelope never changes.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

MAX_COUNT = 2**63 - 1
"""The largest count or time in nanoseconds that an event, or a snapshot, can hold."""
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Number = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Seconds = Annotated[float, Meta(ge=0.0, le=1e12)]
Percent = Annotated[float, Meta(ge=0.0, le=100.0)]
Celsius = Annotated[float, Meta(ge=-273.15, le=1e4)]
Watts = Annotated[float, Meta(ge=0.0, le=1e6)]
Text = Annotated[str, Meta(max_length=4096)]
REASON_CHARACTERS = 1_000
"""Reasons, notices and file names are cut to this length before they are published."""
NAME_CHARACTERS = 256
Name = Annotated[str, Meta(max_length=NAME_CHARACTERS)]


STARTING = "starting"
"""The state of a worker that is there, but can do no file yet."""


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """Base of all event bodies and of the records inside them."""


class Device(Fact, frozen=True):
    """A device that files are worked on.

    `key` is its identity: a GPU UUID as NVML writes it ("GPU-…", "MIG-…"); "cpu:N" for a CPU worker; "cuda:N"
    where only a CUDA ordinal is known; "sim:N" for a simulated GPU. `index` is NVML's index, for display only;
    None when unknown.
    """

    key: Name
    name: Name = ""
    index: Count | None = None


class PlannedFile(Fact, frozen=True):
    """One file of the plan. `cost` is its estimated work: in bases, or in millionths of the job's own unit.

    `identity` is a digest of path, size, time of change and inode: another one is another input. "" when unknown.
    """

    file: Text
    size_bytes: Count
    cost: Count
    identity: Name = ""


VERSION = 1


class RunStarted(Fact, frozen=True):
    """A launched run begins, or goes on. Published by the coordinator, first of all its events.

    A run that is resumed begins again, under a later epoch of the coordinator; `files_total` counts what was done
    before, too. `settings` is a digest of the job and its options, "" when unknown.
    """

    job: Text
    policy: Name
    devices: tuple[Device, ...]
    files_total: Count
    settings: Name = ""


class FilesAssigned(Fact, frozen=True):
    """Part of the initial assignment: these files stand in this device's queue. Published by the coordinator."""

    device: Name
    files: tuple[PlannedFile, ...]


class RunFinished(Fact, frozen=True):
    """The run is over, nothing more will be handed out. Published by the coordinator, last of all its events."""

    exit_code: Count
    files_completed: Count
    files_failed: Count


class Notice(Fact, frozen=True):
    """Something a user should know, in one line. Published by the coordinator, and by the sampler."""

    text: Text


class WorkerStarted(Fact, frozen=True):
    """A worker process is up and about to ask for files. Published by that worker, first of its stream."""

    device: Device
    pid: Count


class WorkerStopped(Fact, frozen=True):
    """A worker ended of its own will. Published by that worker, last of its stream."""

    device: Name
    reason: Text


class WorkerLost(Fact, frozen=True):
    """A worker process died. Published by the coordinator after it has reaped the process.

    `source` and `epoch` name the dead worker's stream. `file` is the file that it held, None when it held none;
    that attempt counts for nothing, whatever the worker still said about it. `stolen_from` is the device the
    file had been stolen from, None when it had not been stolen.
    """

    device: Name
    source: Name
    epoch: Count
    reason: Text
    file: Text | None = None
    attempt: Count = 0
    stolen_from: Name | None = None
    stolen_at_ns: Count = 0


class FileStarted(Fact, frozen=True):
    """A worker begins a file. Published by the worker. `attempt` counts from 1; 0 where nobody counts."""

    device: Name
    file: Text
    attempt: Count = 0


class FileProgress(Fact, frozen=True):
    """Sequences done so far within the file in hand. Published by the worker."""

    device: Name
    file: Text
    attempt: Count
    sequences: Count


class FileCompleted(Fact, frozen=True):
    """A worker has finished a file. `duration_seconds` is the time from its start. Published by the worker."""

    device: Name
    file: Text
    attempt: Count
    sequences: Count
    duration_seconds: Seconds


class FileFailed(Fact, frozen=True):
    """An attempt at a file failed: for good if `final`, else the file is tried again. Published by the worker."""

    device: Name
    file: Text
    attempt: Count
    reason: Text
    duration_seconds: Seconds
    final: bool = True


class FileCommitted(Fact, frozen=True):
    """The results of a file are in place under their final names, and on disk. Published by the coordinator.

    `digest` is that of the results (workers/contents.py), "" when unknown.
    """

    device: Name
    file: Text
    attempt: Count
    results: Count
    size_bytes: Count
    digest: Name = ""


class FileReopened(Fact, frozen=True):
    """A file that was completed or had failed waits again, and what was counted for it counts no more.

    Published by the coordinator when it resumes a run. `device` is the one that had settled it, "" for none;
    `completed` is False where it had failed; `sequences` is what it had been completed with.
    """

    file: Text
    device: Name
    completed: bool
    sequences: Count
    reason: Text


class FileQuarantined(Fact, frozen=True):
    """The file will not be tried again: nobody could finish it. Published by the coordinator."""

    file: Text
    attempts: Count
    reason: Text


class WorkStolen(Fact, frozen=True):
    """`thief` took a whole file that stood in `victim`'s queue. Published by the thief's worker.

    `stolen_at_ns` is the wall-clock time of the decision.
    """

    thief: Name
    victim: Name
    file: Text
    attempt: Count
    stolen_at_ns: Count


class QueueDepths(Fact, frozen=True):
    """Files waiting per device, by device key. Published by the coordinator when they have changed."""

    depths: dict[Name, Count]


class Heartbeat(Fact, frozen=True):
    """A source is alive. Its own seq is the watermark: all smaller seqs of the stream have been published.

    The counters are cumulative over the stream, so a viewer that missed events is right again after one.
    `events_dropped` counts events that never left the publisher because its spool was full.
    """

    device: Name
    state: Name
    files_completed: Count
    files_failed: Count
    sequences: Count
    steals: Count
    events_dropped: Count


class GpuSampled(Fact, frozen=True):
    """One look at one GPU of the publishing host, by the sampler. None means: could not be known.

    `compute_percent` is NVML's utilization.gpu (share of its last sample period in which a kernel ran);
    `memory_percent` is used/total. `lost`: the driver says that the GPU is gone. `energy_millijoules` counts from
    when the driver was loaded. `simulated`: all this is made up, for a demonstration.
    """

    device: Device
    compute_percent: Percent | None = None
    memory_percent: Percent | None = None
    memory_used_bytes: Count | None = None
    memory_total_bytes: Count | None = None
    temperature_celsius: Celsius | None = None
    power_watts: Watts | None = None
    lost: bool = False
    energy_millijoules: Count | None = None
    simulated: bool = False


class CaptureHole(Fact, frozen=True):
    """Here the capture lacks what came while it could not be written (full disk). Published by the capture."""

    frames: Count
    size_bytes: Count


# The kind is also the topic: it is the first element of the frame and ends in a delimiter.
KINDS: dict[str, type[Fact]] = {
    "run.started/": RunStarted,
    "run.assigned/": FilesAssigned,
    "run.finished/": RunFinished,
    "run.notice/": Notice,
    "worker.started/": WorkerStarted,
    "worker.stopped/": WorkerStopped,
    "worker.lost/": WorkerLost,
    "worker.heartbeat/": Heartbeat,
    "file.started/": FileStarted,
    "file.progress/": FileProgress,
    "file.completed/": FileCompleted,
    "file.failed/": FileFailed,
    "file.committed/": FileCommitted,
    "file.reopened/": FileReopened,
    "file.quarantined/": FileQuarantined,
    "work.stolen/": WorkStolen,
    "queue.depths/": QueueDepths,
    "gpu.sampled/": GpuSampled,
    "capture.hole/": CaptureHole,
}
KIND_OF: dict[type[Fact], str] = {body: kind for kind, body in KINDS.items()}
