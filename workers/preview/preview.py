"""The preview of a run: what `run --dry-run` shows, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from virnucpro_bus.clock import Clock
from virnucpro_bus.devices import display_id
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.metrics import Range
from virnucpro_bus.run_folder import CAPTURE_NAME, check_folder
from virnucpro_bus.text import visible
from workers.commit.result_store import ResultStore
from workers.inputs.find import FoundInputs
from workers.inputs.input_files import InputFiles
from workers.jobs.checked_job import CheckedJob
from workers.jobs.interface import COST_PER_UNIT
from workers.jobs.named_job import merged_names
from workers.preview.makespan import Makespan, Work, expect_makespan
from workers.preview.past_speeds import read_speeds
from workers.resume.past_folder import examine_past_run, settings_of
from workers.resume.resume import ResumePlan, compare_with_past
from workers.schedule.plan import assign
from workers.schedule.policy_registry import DASK_POLICY
from workers.schedule.shard import Share, name_of

NO_SPEEDS = "speeds are measured once files of the run are done"
NO_SPEEDS_LAST = "no speed was measured in the last session of the run"
CLUSTER = "the devices are those of the workers of a Dask cluster, which is asked when the run begins"
DASK_DECIDES = "Dask's own scheduler decides which device gets which file"


class DevicePreview(TypedDict):
    """What one device is first assigned; stealing moves files later."""

    device_id: int | str
    key: str
    device_name: str
    weight: float
    files: int
    work: float
    """In `work_unit`."""
    work_percent: float | None
    """None: there is no work."""


class LeftOut(TypedDict):
    """What is left out of a folder."""

    folder: str
    left_out: str


class Preview(TypedDict):
    """The object that `run --dry-run --json` prints."""

    run_dir: str
    begins: str
    """What would begin in the folder: "new", "resumed", or "replaced": a run there is removed before (--force)."""
    job: str
    reads: str
    policy: str
    shard: str | None
    """I/N; None: all inputs."""
    files: int
    """How many would be processed."""
    files_done_before: int
    """How many are done in the run that is resumed."""
    files_of_other_shards: int
    work: float
    """Estimated work of `files`, in `work_unit`."""
    work_unit: str
    """"bases", by the size of files, or "estimates": the job's own unit."""
    devices: list[DevicePreview] | None
    """None: they are not known before the run."""
    longest_device: str | None
    """The key of the device that ends last by weights and work; None: unknown, or no work."""
    longest_to_mean: float | None
    """How much longer that takes than all devices on average, as a ratio."""
    makespan_seconds: float | None
    """Expected from the start of the first file to the end of the last one; None: unknown."""
    makespan_range: Range | None
    unknown: str | None
    """Why devices or makespan are not known; None: they are."""
    folders: list[LeftOut]
    doubles: int
    """How many paths lead to a file of another path."""
    notes: list[str]
    """What a resumed run would report of its files."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a run is asked to do, as far as a preview needs it."""

    run_dir: Path
    job: CheckedJob
    found: FoundInputs
    """All inputs …"""
    share: Share
    """… and which of them are this run's."""
    devices: Sequence[Device] | None
    """None: a cluster has them, which is not asked."""
    weights: Sequence[float]
    """Of the devices."""
    policy: str
    steal_interval_seconds: float
    has_estimates: bool
    """Whether the work is what the job estimates; False: it goes by the size of files."""
    resume: bool
    redo: bool
    force: bool


def preview(request: RunRequest, clock: Clock) -> Preview:
    """Return what a run would do. Changes nothing. Raises what the run would: UserError and CaptureError."""
    check_folder(request.run_dir)
    begins, resumed = _look_into_folder(request)
    costs = InputFiles.of(resumed.remaining).costs
    unit = COST_PER_UNIT if request.has_estimates else 1
    devices: list[DevicePreview] | None = None
    makespan: Makespan | None = None
    if request.devices is None:
        unknown: str | None = CLUSTER
    elif request.policy == DASK_POLICY:
        unknown = DASK_DECIDES
    else:
        plan = assign(costs, request.weights)
        devices = _devices(request.devices, request.weights, costs, plan, unit)
        keys = [device.key for device in request.devices]
        work = Work(costs, plan, keys, request.weights, request.policy, request.steal_interval_seconds)
        makespan, unknown = _expect(request.run_dir, work, clock) if begins == "resumed" else (None, NO_SPEEDS)
    longest, ratio = _longest(devices or ())
    return Preview(
        run_dir=visible(str(request.run_dir)),
        begins=begins,
        job=visible(request.job.spec),
        reads=request.job.reads,
        policy=request.policy,
        shard=None if resumed.shard is None else str(name_of(resumed.shard)),
        files=len(costs),
        files_done_before=resumed.done,
        files_of_other_shards=len(request.share.others),
        work=sum(costs) / unit,
        work_unit="estimates" if request.has_estimates else "bases",
        devices=devices,
        longest_device=longest,
        longest_to_mean=ratio,
        makespan_seconds=None if makespan is None else makespan.seconds,
        makespan_range=None if makespan is None else (makespan.least, makespan.greatest),
        unknown=unknown,
        folders=[
            LeftOut(folder=visible(str(folder.path)), left_out=visible(left_out))
            for folder in request.found.folders
            if (left_out := folder.left_out())
        ],
        doubles=request.found.doubles,
        notes=list(map(visible, resumed.notes)),
    )


def _look_into_folder(request: RunRequest) -> tuple[str, ResumePlan]:
    """Return what would become of the run folder, and what a session in it would start with."""
    run_dir, share = request.run_dir, request.share
    settings = settings_of(request.job.spec, request.job.options)
    past = examine_past_run(run_dir, settings, shard=share.shard, resume=request.resume, force=request.force)
    if past is None:
        is_replaced = request.force and (run_dir / CAPTURE_NAME).exists()
        return "replaced" if is_replaced else "new", ResumePlan(share.files, share.shard)
    resumed, _ = compare_with_past(
        past,
        share.files,
        ResultStore(run_dir),
        shard=share.shard,
        others=share.others,
        redo=request.redo,
        reserved=merged_names(request.job.merge),
    )
    return "resumed", resumed


def _expect(run_dir: Path, work: Work, clock: Clock) -> tuple[Makespan | None, str | None]:
    """Return how long the work is expected to take, or None and why that is unknown."""
    if not work.costs:
        return Makespan(0.0, 0.0, 0.0), None
    speeds = read_speeds(run_dir / CAPTURE_NAME, clock)
    if speeds is None:
        return None, NO_SPEEDS_LAST
    if new := [key for key in work.devices if key not in speeds.by_key]:
        return None, f"no speed of {visible(new[0])} was measured in the last session of the run"
    return expect_makespan(work, speeds), None


def _devices(
    devices: Sequence[Device],
    weights: Sequence[float],
    costs: Sequence[int],
    plan: Sequence[Sequence[int]],
    unit: int,
) -> list[DevicePreview]:
    total, found = sum(costs), []
    for device, weight, numbers in zip(devices, weights, plan, strict=True):
        work = sum(costs[number] for number in numbers)
        found.append(
            DevicePreview(
                device_id=display_id(device),
                key=device.key,
                device_name=visible(device.name),
                weight=weight,
                files=len(numbers),
                work=work / unit,
                work_percent=100 * work / total if total else None,
            )
        )
    return found


def _longest(devices: Sequence[DevicePreview]) -> tuple[str | None, float | None]:
    """Return the key of the device that ends last, and how much later than all do on average."""
    work = sum(each["work"] for each in devices)
    if not work:
        return None, None
    mean = work / sum(each["weight"] for each in devices)
    last = max(devices, key=lambda each: each["work"] / each["weight"])
    return last["key"], last["work"] / last["weight"] / mean
