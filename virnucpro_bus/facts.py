"""What events are made of: ranges of numbers, lengths of text, and the records that stand inside events."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Number = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Seconds = Annotated[float, Meta(ge=0.0, le=1e12)]
Percent = Annotated[float, Meta(ge=0.0, le=100.0)]
Celsius = Annotated[float, Meta(ge=-273.15, le=1e4)]
Watts = Annotated[float, Meta(ge=0.0, le=1e6)]
Text = Annotated[str, Meta(max_length=4096)]
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
