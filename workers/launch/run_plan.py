"""The plan of a run: everything that is decided before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from virnucpro_bus.events.run_events import Shard
from virnucpro_bus.events.vocabulary import Device
from workers.desk.executor import MakeExecutor
from workers.desk.halt import Halt
from workers.desk.limits import Limits
from workers.inputs.input_file import InputFile
from workers.jobs.named_job import Merge
from workers.launch.interruption import DEFAULT_GRACE_SECONDS
from workers.pool.pool import WorkerPool
from workers.schedule.blame import DEFAULT_RETRIES

if TYPE_CHECKING:
    from virnucpro_bus.remote.http_address import HttpListen


@dataclass(frozen=True)
class RunPlan:
    """What to run, where, and under which limits."""

    files: Sequence[InputFile]
    devices: Sequence[Device]
    weights: Sequence[float]
    """The devices' shares in the first assignment."""
    run_dir: Path
    job: str
    options: Mapping[str, str]
    policy: str
    interval_seconds: float
    """Time between screen updates, and between rows of the metrics log."""
    dashboard: bool
    log_file: Path
    hooks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The words of the commands that are called, by "end", "failure" and "stall"."""
    display: Sequence[str] = ()
    """Options of the monitor's command that concern only what is shown, as its command line has them."""
    target: str | None = None
    """MODULE:ATTR that the name `job` stands for; None: `job` is not a name."""
    log_rotate_bytes: int | None = None
    """A metrics log is rotated before it is longer than this; None: it is never rotated."""
    retries: int = DEFAULT_RETRIES
    """How often a file that fails is tried again."""
    halt: Halt | None = None
    """When the run ends early; None: only if its first files fail alike."""
    limits: Limits = field(default_factory=Limits)
    make_executor: MakeExecutor = WorkerPool
    """What runs the workers: the processes of this machine, if nothing else is said."""
    samples_here: bool = True
    """Whether this machine's GPUs are sampled: some of the devices are its own."""
    grace_seconds: float = DEFAULT_GRACE_SECONDS
    """How long the files in progress may take after SIGTERM or SIGHUP."""
    steal_interval_seconds: float = 0.0
    listen: str | None = None
    """The address at which the run can be watched from other machines; None: it cannot."""
    http: HttpListen | None = None
    """Where the monitor also serves a live page; None: nowhere."""
    resume: bool = False
    """Continue the run that the folder contains, if it contains one."""
    redo: bool = False
    """Continue it even where more files are done again than are kept."""
    force: bool = False
    """Remove the run that the folder contains, and start over."""
    report: bool = False
    """Write report.html when the run is over."""
    merge: Merge | None = None
    """What the job makes of the results of all files when the run is over; None: nothing."""
    shard: Shard | None = None
    """Which part of the inputs `files` are; None: all of them."""
    other_files: Sequence[InputFile] = ()
    """The inputs of the other shards."""
