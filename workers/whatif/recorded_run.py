"""A recorded run as what-if goes by it: files with the work that they proved to be, devices with rates. Pure."""

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
class Measured:
    """A device as the run has shown it; times count from the start of the first file."""

    device: Device
    speed: float
    joins_at_seconds: float
    """inf where it was never ready for a file."""
    lost_at_seconds: float | None = None
    """When it was lost for good; None: it was not."""


@dataclass(frozen=True)
class RecordedRun:
    """The run as it was."""

    files: tuple[SimFile, ...]
    """Those that were completed."""
    owners: tuple[str, ...]
    """The device that each of them was first given to, by key."""
    devices: tuple[Measured, ...]
    files_left_out: int
    policy: str
    """"" where nobody has said."""
    makespan_seconds: float | None
    idle_seconds: float
    steals: int


def make_recorded_run(fleet: FleetState) -> RecordedRun:
    """What the fold of a capture tells of its run. Raises UserError when that is not enough."""
    works, effect = fleet.get_work(), fleet.get_effect()
    if len(works) != 1:
        how = "several hosts have" if works else "nobody has"
        raise UserError(f"{how} recorded a plan in this capture: what-if needs the run of one host")
    (work,) = works
    sums = totals_of(work.log, work.status)
    if sums is None:
        raise UserError("the plan, or what was done of it, is not recorded as a whole: there is nothing to go by")
    shares = shares_of(sums, work.status)
    rates = {key: rate for key, share in shares.items() if (rate := share.rate) is not None}
    if not rates:
        raise UserError("no file of the plan was completed, as far as it was recorded: there is nothing to go by")
    mean = fmean(rates.values())
    known = {device.key: device for device in work.run.devices} if work.run is not None else {}
    joins, losses = _joins(shares, work.status), _losses(shares, work.status)
    files, owners = [], []
    for owner, cost, done in sums.files():
        files.append(SimFile(done.seconds * rates.get(done.device, mean), cost))
        owners.append(owner)
    return RecordedRun(
        files=tuple(files),
        owners=tuple(owners),
        devices=tuple(
            Measured(known.get(key, Device(key)), rates.get(key, mean), joins[key], losses.get(key))
            for key in [*known, *(key for key in shares if key not in known)]
        ),
        files_left_out=sums.planned - len(files),
        policy="" if work.run is None else work.run.policy,
        makespan_seconds=effect["makespan_seconds"],
        idle_seconds=sum(effect["idle_seconds"].values()),
        steals=effect["moves"],
    )


def _joins(shares: Mapping[str, DeviceShare], look: RunStatus) -> dict[str, float]:
    """When each device could do files: from its first one on, or where it never had one from when it was ready."""
    begun = {key: share.first_ns for key, share in shares.items() if share.first_ns is not None}
    zero_ns = min(begun.values())
    ups = {key: begun.get(key, look.up_ns.get(key)) for key in shares}
    return {key: inf if up_ns is None else max(0, up_ns - zero_ns) / NANOSECONDS for key, up_ns in ups.items()}


def _losses(shares: Mapping[str, DeviceShare], look: RunStatus) -> dict[str, float]:
    """When devices were lost for good while the run went on; not those that an interrupted run has ended with."""
    zero_ns = min(share.first_ns for share in shares.values() if share.first_ns is not None)
    last_ns = max(share.done.last_ns for share in shares.values() if share.done.last_ns is not None)
    gone = {key: at_ns for key, at_ns in look.gone_ns.items() if at_ns < last_ns}
    return {key: max(0, at_ns - zero_ns) / NANOSECONDS for key, at_ns in gone.items()}
