"""The events of a run as a whole: its plan, its course and its end. Published by its coordinator.

What `vocabulary.py` says of all events holds for them.
"""

from __future__ import annotations

from typing import Final

from virnucpro_bus.events.vocabulary import Count, Device, Fact, Name, Number, Origin, Text
from virnucpro_bus.run_reports import ShardReport

OWN_POLICY: Final = "own"
"""The policy of a run whose workers decide themselves what they work on: its hub is the coordinator."""


class PlannedFile(Fact, frozen=True):
    """One file of the plan.

    `cost` is its estimated work: in bases, or in millionths of the job's own unit. `identity` is a digest of path,
    size, modification time and inode: an equal digest is the same, unchanged input; "" when unknown. `origin` is
    None when unknown. `own_folder` is whether all its results go to a folder of its own; None when unknown.
    """

    file: Text
    size_bytes: Count
    cost: Count
    identity: Name = ""
    origin: Origin | None = None
    own_folder: bool | None = None


class Shard(Fact, frozen=True):
    """Which part of the inputs a run has, where several runs share them: part `number` of `count`, from 0.

    `files` is how many files all parts have together. `inputs` is a digest of these files and of the estimated
    work in them: shards of equal digest and count are the parts of one whole.
    """

    number: Count
    count: Number
    files: Count
    inputs: Name


class RunStarted(Fact, frozen=True):
    """A run starts or resumes, or has grown. Published by the coordinator, as the first of its events.

    Of workers that no launcher started the hub is the coordinator, and the policy "own".
    `devices` are those of the start. A resumed run has a later epoch of the coordinator; `files_total` includes
    the files done before, and is 0 when no files are planned: then it is unknown how many there will be.
    `settings` is a digest of the job and its options; "" when unknown. `shard` is None where the run has all of
    its inputs.
    """

    job: Text
    policy: Name
    devices: tuple[Device, ...]
    files_total: Count
    settings: Name = ""
    shard: Shard | None = None


class FilesAssigned(Fact, frozen=True):
    """Part of the initial assignment: these files are in this device's queue. Published by the coordinator.

    A worker without a coordinator publishes what it is going to do itself.
    """

    device: Name
    files: tuple[PlannedFile, ...]


class DeviceJoined(Fact, frozen=True):
    """A device joined the run after its start, with an empty queue. Published by the coordinator."""

    device: Device


class RunDraining(Fact, frozen=True):
    """No more files are handed out, although some may be pending: the run ends after those in progress.

    Published by the coordinator. `reason` is the name of the signal that ends the run, or else a short text.
    """

    reason: Text


class RunFinished(Fact, frozen=True):
    """The run is over; no more files will be assigned. Published by the coordinator, as the last of its events.

    Without a run, it reports that a hub without a launcher has ended in order.
    """

    exit_code: Count
    files_completed: Count
    files_failed: Count


class Notice(Fact, frozen=True):
    """A message for the user, in one line. Published by the coordinator, a sampler, and a hub."""

    text: Text


def shard_report(shard: Shard | None) -> ShardReport | None:
    """Return which part of the inputs a run has, as JSON has it; None: all of them."""
    if shard is None:
        return None
    return ShardReport(number=shard.number, count=shard.count, files=shard.files, inputs=shard.inputs)
