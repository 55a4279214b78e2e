"""Every kind of event, by its topic on the wire."""

from __future__ import annotations

from virnucpro_bus.events.run_events import (
    DeviceJoined,
    FilesAssigned,
    Notice,
    RunDraining,
    RunFinished,
    RunStarted,
)
from virnucpro_bus.events.vocabulary import (
    CaptureHole,
    Fact,
    FileCommitted,
    FileCompleted,
    FileFailed,
    FileProgress,
    FileQuarantined,
    FileRecognized,
    FileReopened,
    FileResults,
    FileStarted,
    GpuSampled,
    Heartbeat,
    QueueDepths,
    WorkerLost,
    WorkerStarted,
    WorkerStopped,
    WorkStolen,
)

# The kind is also the topic: it is the first element of the frame, and ends in a delimiter.
KINDS: dict[str, type[Fact]] = {
    "run.started/": RunStarted,
    "run.assigned/": FilesAssigned,
    "run.joined/": DeviceJoined,
    "run.draining/": RunDraining,
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
    "file.results/": FileResults,
    "file.committed/": FileCommitted,
    "file.reopened/": FileReopened,
    "file.recognized/": FileRecognized,
    "file.quarantined/": FileQuarantined,
    "work.stolen/": WorkStolen,
    "queue.depths/": QueueDepths,
    "gpu.sampled/": GpuSampled,
    "capture.hole/": CaptureHole,
}
KIND_OF: dict[type[Fact], str] = {body: kind for kind, body in KINDS.items()}
