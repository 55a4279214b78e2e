"""The event vocabulary: the types of fields, and the events of workers, files, devices and captures.

`run_events.py` declares those of a run as a whole, `kinds.py` lists all of them with their topics.

An event is a small frozen fact without addressing; its `Envelope` names the sender and the time. Order and
identity are (host, source, epoch, seq), never a clock. docs/events.md is checked against these declarations.
Evolution: a field is only ever appended, with a default; none is retyped, moved or reused; the envelope never
changes.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

VERSION = 1
"""Version of the vocabulary, in every envelope."""
MAX_COUNT = 2**63 - 1
"""The largest count or time in nanoseconds that an event or a snapshot can hold."""
NAME_CHARACTERS = 256
"""The longest `Name`: of a device, a source, a host, a run."""
REASON_CHARACTERS = 1_000
"""Reasons, notices and file names are cut to this length before they are published."""
STARTING: Final = "starting"
"""The state of a worker that is up, but not ready for files yet."""

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Number = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Seconds = Annotated[float, Meta(ge=0.0, le=1e12)]
Percent = Annotated[float, Meta(ge=0.0, le=100.0)]
Celsius = Annotated[float, Meta(ge=-273.15, le=1e4)]
Watts = Annotated[float, Meta(ge=0.0, le=1e6)]
Text = Annotated[str, Meta(max_length=4096)]
Name = Annotated[str, Meta(max_length=NAME_CHARACTERS)]


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """Base of all events and of the records inside them."""


class Device(Fact, frozen=True):
    """What processes files: a GPU or a CPU worker.

    `key` is its identity: a GPU UUID as NVML writes it ("GPU-…", "MIG-…"); "cpu:N" for a CPU worker; "cuda:N"
    if only a CUDA ordinal is known, among all GPUs that its process may use; "sim:N" for a simulated GPU.
    "GPU-a#1" is worker number 1 of several that share a GPU, "GPU-a+GPU-b" a worker that uses both GPUs; "cpu:0#2"
    is the second of several workers that call their device "cpu:0". `index` is NVML's index, of several GPUs that
    of the first, for a CPU worker or a simulated GPU its number; for display only; None when unknown. `label` is
    what people call a device that shares a GPU, or uses several: "0#1", "0+1"; empty for all others.
    """

    key: Name
    name: Name = ""
    index: Count | None = None
    label: Name = ""


class Origin(Fact, frozen=True):
    """Where a planned file lies and in which state it is, so that a resumed run recognizes it.

    All are digests: of the path of its folder, without links; of its name; of its size and modification time; of
    its inode number.
    """

    folder: Name
    name: Name
    version: Name
    inode: Name


class WorkerStarted(Fact, frozen=True):
    """A worker process is up. Published by that worker, first of its stream.

    `is_loading`: it loads its job first; it is ready for files once a heartbeat has another state than "starting".
    `gpus`: among how many GPUs a device "cuda:N" counts, those that its process may use; None when unknown, and
    for other devices.
    """

    device: Device
    pid: Count
    is_loading: bool = False
    gpus: Count | None = None


class WorkerStopped(Fact, frozen=True):
    """A worker ended by itself. Published by that worker, last of its stream."""

    device: Name
    reason: Text


class WorkerLost(Fact, frozen=True):
    """A worker process died. Published by the coordinator after it has reaped the process.

    `source` and `epoch` name the dead worker's stream. `file` is the file it had in progress, None if it had no
    file; that attempt is void, whatever the worker had reported about it. `stolen_from` is the device that the
    file had been stolen from, None if it had not been stolen; `stolen_at_ns` is then the wall-clock time of that
    steal.
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
    """A worker starts a file. Published by the worker. `attempt` counts from 1; 0: not counted."""

    device: Name
    file: Text
    attempt: Count = 0


class FileProgress(Fact, frozen=True):
    """How many sequences of its current file a worker has done, of how many. Published by the worker.

    `total` is None when unknown.
    """

    device: Name
    file: Text
    attempt: Count
    sequences: Count
    total: Count | None = None


class FileCompleted(Fact, frozen=True):
    """A worker completed a file. `duration_seconds` is the time since its start. Published by the worker."""

    device: Name
    file: Text
    attempt: Count
    sequences: Count
    duration_seconds: Seconds


class FileFailed(Fact, frozen=True):
    """An attempt at a file failed: for good if `final`, else the file is retried. Published by the worker."""

    device: Name
    file: Text
    attempt: Count
    reason: Text
    duration_seconds: Seconds
    final: bool = True


class FileResults(Fact, frozen=True):
    """Part of the names of an attempt's results, which are about to be put in place. Published by the coordinator.

    `part` counts from 0, which starts the list again. `folder` is the folder in the results folder that gets them,
    "" for the results folder itself. `names` are paths below it; a byte of "%", of a control character or outside
    UTF-8 is written as %XX. The name of a folder ends in "/" and follows the names in it. `file` "" and attempt 0
    stand for the run: the names are those of what its job makes of the results of all files.
    """

    file: Text
    attempt: Count
    part: Count
    folder: Text
    names: tuple[Text, ...]


class FileCommitted(Fact, frozen=True):
    """The results of a file have their final names and are synced to disk. Published by the coordinator.

    `results` is the number of result files, `size_bytes` their total size, `digest` the digest of their manifest
    (workers/commit/manifest.py), `input_digest` the SHA-256 of the input that was read; "" when unknown.
    `sequences` is how many the file has; None when unknown.
    """

    device: Name
    file: Text
    attempt: Count
    results: Count
    size_bytes: Count
    digest: Name = ""
    sequences: Count | None = None
    input_digest: Name = ""


class FileReopened(Fact, frozen=True):
    """A file that was completed or had failed is pending again, and its earlier counts no longer apply.

    Published by the coordinator when it resumes a run, and when a run ends because every file fails alike.
    `device` is the one that had ended it, "" for no device; `completed` is False if it had failed; `sequences` is
    what was counted for it.
    """

    file: Text
    device: Name
    completed: bool
    sequences: Count
    reason: Text


class FileRecognized(Fact, frozen=True):
    """A file that is done lies elsewhere or has another time than recorded, with the same content.

    Published by the coordinator when it resumes a run. `origin` is where it is now.
    """

    file: Text
    origin: Origin


class FileQuarantined(Fact, frozen=True):
    """The file will not be retried: no worker could finish it. Published by the coordinator."""

    file: Text
    attempts: Count
    reason: Text


class WorkStolen(Fact, frozen=True):
    """`thief` took a whole file from `victim`'s queue. Published by the thief's worker.

    `stolen_at_ns` is the wall-clock time of the decision.
    """

    thief: Name
    victim: Name
    file: Text
    attempt: Count
    stolen_at_ns: Count


class QueueDepths(Fact, frozen=True):
    """Pending files per device, by device key. Published by the coordinator when they have changed.

    A device that is not named has as many as before. The first ones of a session name every device.
    """

    depths: dict[Name, Count]


class Heartbeat(Fact, frozen=True):
    """The source is alive. Its own seq is the watermark: all smaller ones of the stream have been published.

    The counters are totals of the stream, so one heartbeat corrects a viewer that missed events.
    `events_dropped` counts events that never left the publisher: its spool was full, or they could not be encoded.
    `cpu_milliseconds` is the processor time of a worker's process and its descendants so far, `read_bytes` what
    their read calls have returned, `resident_bytes` their resident memory now; None: not measured, or unknown.
    """

    device: Name
    state: Name
    files_completed: Count
    files_failed: Count
    sequences: Count
    steals: Count
    events_dropped: Count
    cpu_milliseconds: Count | None = None
    resident_bytes: Count | None = None
    read_bytes: Count | None = None


class GpuSampled(Fact, frozen=True):
    """One sample of one GPU of the publishing host. Published by the sampler. None: unknown.

    `compute_percent` is NVML's utilization.gpu (share of the driver's last sample period in which a kernel ran);
    `memory_percent` is used/total. `lost`: the driver reports the GPU as gone. `energy_millijoules` counts from
    when the driver was loaded. `simulated`: the figures are simulated, for a demonstration.
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
    """Here the capture lacks frames that it could not record (full disk). Published by the capture."""

    frames: Count
    size_bytes: Count
