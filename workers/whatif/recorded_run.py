"""A recorded run as the input of simulations: files with measured work, devices with measured speeds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from virnucpro_bus.effect.assumptions import (
    NEGLIGIBLE_ERROR,
    OTHER_GAPS,
    likely_assumptions,
    likely_factors,
    measurement_of,
)
from virnucpro_bus.effect.outlook import Outlook
from virnucpro_bus.effect.shares import DeviceShare, RunStatus, shares_of, totals_of
from virnucpro_bus.effect.speeds import Speed
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from workers.whatif.simulator import SimFile


@dataclass(frozen=True)
class RecordedDevice:
    """A device of the recorded run. Times count from the start of the run's first file."""

    device: Device
    speed: float
    """Units of work per second at first; supposed to be like the others' for a device that completed nothing."""
    changes: tuple[tuple[float, float], ...]
    """Changes of speed, in order, as (seconds, speed from then on)."""
    likely_factors: tuple[float, float]
    """By what the speeds may have to be multiplied: the least and the greatest factor."""
    joins_at_seconds: float
    """When it was first ready for a file; inf: never."""
    lost_at_seconds: float | None = None
    """When it was lost for good; None: never."""
    joined_run_at_seconds: float | None = None
    """When it joined the run, with no files of its own; None: it was there from the start."""

    @property
    def is_late(self) -> bool:
        """Whether it joined the run after its start."""
        return self.joined_run_at_seconds is not None

    def present_seconds(self, makespan: float, begin: float) -> float:
        """How long it takes part in a run of that length that begins then."""
        return max(0.0, makespan - max(0.0, (self.joined_run_at_seconds or 0.0) - begin))

    @property
    def last_speed(self) -> float:
        """Its speed at the end of the run."""
        return self.changes[-1][1] if self.changes else self.speed

    def times(self, factor: float) -> RecordedDevice:
        """Return the same with all speeds multiplied."""
        changes = tuple((second, speed * factor) for second, speed in self.changes)
        return replace(self, speed=self.speed * factor, changes=changes)


@dataclass(frozen=True)
class Doubt:
    """One end of a doubt about a recorded run: something may have been more or less by this factor."""

    device: str | None
    """The key of the device whose speed is in doubt; None: the time between two files is."""
    factor: float


@dataclass(frozen=True)
class RecordedRun:
    """A run as it was recorded."""

    files: tuple[SimFile, ...]
    """The completed ones."""
    owners: tuple[str, ...]
    """The key of the device that each of `files` was first assigned to …"""
    done_by: tuple[str, ...]
    """… and of the one that completed it."""
    devices: tuple[RecordedDevice, ...]
    """The late ones last, in the order in which they were ready for a file."""
    files_left_out: int
    """How many planned files were not completed."""
    policy: str
    """"" when it is unknown."""
    makespan_seconds: float | None
    """None when it is unknown."""
    idle_seconds: float
    """Of all devices together."""
    steals: int
    gap_seconds: float
    """The time between two files of a device: what lay there, and what failed attempts took for each file."""

    def doubts(self) -> list[tuple[Doubt, Doubt]]:
        """Both ends of each doubt about the run."""
        found = []
        if self.gap_seconds:
            least, greatest = OTHER_GAPS
            found.append((Doubt(None, least), Doubt(None, greatest)))
        for device in self.devices:
            slower, faster = device.likely_factors
            if faster > 1 + NEGLIGIBLE_ERROR:
                found.append((Doubt(device.device.key, slower), Doubt(device.device.key, faster)))
        return found

    def if_true(self, doubt: Doubt) -> RecordedRun:
        """Return the run as it was if this end of a doubt is true.

        If a device was faster by a factor, what it did was as much more work.
        """
        if doubt.device is None:
            return replace(self, gap_seconds=self.gap_seconds * doubt.factor)
        files = tuple(
            replace(file, work=file.work * doubt.factor) if by == doubt.device else file
            for file, by in zip(self.files, self.done_by, strict=True)
        )
        devices = tuple(
            each.times(doubt.factor) if each.device.key == doubt.device else each for each in self.devices
        )
        return replace(self, files=files, devices=devices)


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
    assumed = likely_assumptions(shares, work.status.now_ns, measurement_of(shares))
    speeds = assumed.speeds.by_key
    if not any(speed.is_measured for speed in speeds.values()):
        raise UserError(
            "the capture: contains no completed file of the plan; choose that of a run with completed files"
        )
    known = {device.key: device for device in work.devices}
    outlook = Outlook(totals, work.status, shares, assumed)
    joins, losses = _joins(shares, work.status, outlook), _losses(shares, work.status, outlook)
    files, owners, done_by = [], [], []
    for owner, cost, done in totals.files():
        files.append(SimFile(done.seconds * speeds[done.device].rate_until(done.end_ns), cost))
        owners.append(owner)
        done_by.append(done.device)

    def recorded(key: str) -> RecordedDevice:
        speed: Speed = speeds[key]
        is_late, lost_at = key in work.status.joined_ns, losses.get(key)
        return RecordedDevice(
            known.get(key, Device(key)),
            speed.phases[0].rate,
            tuple((outlook.since_zero(since_ns), rate) for since_ns, rate in speed.phases[1:]),
            likely_factors(speed, assumed.speeds.noise),
            # Of a late one that was lost before the first file, nothing is to be simulated.
            inf if is_late and lost_at is not None and lost_at <= joins[key] else joins[key],
            lost_at,
            outlook.joined(key) if is_late else None,
        )

    devices = [recorded(key) for key in [*known, *(key for key in shares if key not in known)]]

    return RecordedRun(
        files=tuple(files),
        owners=tuple(owners),
        done_by=tuple(done_by),
        devices=tuple(sorted(devices, key=lambda each: each.joins_at_seconds if each.is_late else -inf)),
        files_left_out=totals.planned - len(files),
        policy="" if work.run is None else work.run.policy,
        makespan_seconds=effect["makespan_seconds"],
        idle_seconds=sum(effect["idle_seconds"].values()),
        steals=effect["moves"],
        gap_seconds=outlook.gap + outlook.failed_seconds / len(files),
    )


def _joins(shares: Mapping[str, DeviceShare], status: RunStatus, outlook: Outlook) -> dict[str, float]:
    """Return when each device could first work: the start of its first file, or if it had none, when it was ready.

    One that joined the run late had to steal its first file, so for that one it is when it was ready.
    """
    found = {}
    for key, share in shares.items():
        up_ns = status.up_ns.get(key)
        first_ns, other_ns = (up_ns, share.first_ns) if key in status.joined_ns else (share.first_ns, up_ns)
        at_ns = other_ns if first_ns is None else first_ns
        found[key] = inf if at_ns is None else outlook.since_zero(at_ns)
    return found


def _losses(shares: Mapping[str, DeviceShare], status: RunStatus, outlook: Outlook) -> dict[str, float]:
    """Return when devices were lost for good, without those lost after the last completed file."""
    last_ns = max(share.done.last_ns for share in shares.values() if share.done.last_ns is not None)
    return {key: outlook.since_zero(at_ns) for key, at_ns in status.gone_ns.items() if at_ns < last_ns}
