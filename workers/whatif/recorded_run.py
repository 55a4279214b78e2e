"""A recorded run as the input of simulations: files with measured work, devices with measured speeds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from statistics import fmean

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.shares import DeviceShare, RunStatus, shares_of, totals_of
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from workers.whatif.simulator import SimFile


@dataclass(frozen=True)
class RecordedDevice:
    """A device of the recorded run. Times count from the start of the run's first file."""

    device: Device
    speed: float
    """Units of work per second, as measured; the mean of the others' for a device that completed nothing."""
    joins_at_seconds: float
    """When it was first ready for a file; inf: never."""
    lost_at_seconds: float | None = None
    """When it was lost for good; None: never."""


@dataclass(frozen=True)
class RecordedRun:
    """A run as it was recorded."""

    files: tuple[SimFile, ...]
    """The completed ones."""
    owners: tuple[str, ...]
    """The key of the device that each of `files` was first assigned to."""
    devices: tuple[RecordedDevice, ...]
    files_left_out: int
    """How many planned files were not completed."""
    policy: str
    """"" when it is unknown."""
    makespan_seconds: float | None
    """None when it is unknown."""
    idle_seconds: float
    """Of all devices together."""
    steals: int


def make_recorded_run(fleet: FleetState) -> RecordedRun:
    """Return the run that was folded from a capture. Raises UserError if it is not a complete run of one host."""
    works, effect = fleet.get_work(), fleet.get_effect()
    if len(works) != 1:
        found = "the plans of several hosts" if works else "no plan"
        raise UserError(f"the capture: contains {found}; choose that of a run on one host")
    (work,) = works
    totals = totals_of(work.log, work.status)
    if totals is None:
        raise UserError(
            "the capture: is incomplete, events of the plan or of completed files are missing; choose another"
        )
    shares = shares_of(totals, work.status)
    rates = {key: rate for key, share in shares.items() if (rate := share.rate) is not None}
    if not rates:
        raise UserError(
            "the capture: contains no completed file of the plan; choose that of a run with completed files"
        )
    mean = fmean(rates.values())
    known = {device.key: device for device in work.run.devices} if work.run is not None else {}
    joins, losses = _joins(shares, work.status), _losses(shares, work.status)
    files, owners = [], []
    for owner, cost, done in totals.files():
        files.append(SimFile(done.seconds * rates.get(done.device, mean), cost))
        owners.append(owner)
    return RecordedRun(
        files=tuple(files),
        owners=tuple(owners),
        devices=tuple(
            RecordedDevice(known.get(key, Device(key)), rates.get(key, mean), joins[key], losses.get(key))
            for key in [*known, *(key for key in shares if key not in known)]
        ),
        files_left_out=totals.planned - len(files),
        policy="" if work.run is None else work.run.policy,
        makespan_seconds=effect["makespan_seconds"],
        idle_seconds=sum(effect["idle_seconds"].values()),
        steals=effect["moves"],
    )


def _joins(shares: Mapping[str, DeviceShare], status: RunStatus) -> dict[str, float]:
    """Return when each device joined: the start of its first file, or if it had none, when it was ready."""
    started_ns = {key: share.first_ns for key, share in shares.items() if share.first_ns is not None}
    zero_ns = min(started_ns.values())
    joined_ns = {key: started_ns.get(key, status.up_ns.get(key)) for key in shares}
    return {
        key: inf if at_ns is None else max(0, at_ns - zero_ns) / NANOSECONDS for key, at_ns in joined_ns.items()
    }


def _losses(shares: Mapping[str, DeviceShare], status: RunStatus) -> dict[str, float]:
    """Return when devices were lost for good, without those lost after the last completed file."""
    zero_ns = min(share.first_ns for share in shares.values() if share.first_ns is not None)
    last_ns = max(share.done.last_ns for share in shares.values() if share.done.last_ns is not None)
    gone = {key: at_ns for key, at_ns in status.gone_ns.items() if at_ns < last_ns}
    return {key: max(0, at_ns - zero_ns) / NANOSECONDS for key, at_ns in gone.items()}
