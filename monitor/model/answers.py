"""The answers of a dashboard's sources, read field by field: a user's own source may lack some, or know less.

An answer may be a dict or an object with attributes. A field that is missing, None or NaN is unknown. One that
cannot be right (a text as a number, a negative count, a percentage above 100) is reported, and unknown too. So no
answer of a source ends the dashboard, and no figure is shown that its source has not given.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NotRequired, TypedDict, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from virnucpro_bus.events.vocabulary import Celsius, Count, Percent, Seconds, Watts
from virnucpro_bus.health.rows import (
    DeviceWork,
    Moment,
    Rate,
    RunTotals,
)
from virnucpro_bus.metrics import GpuUtilization
from virnucpro_bus.passed_numbers import is_bool, shown

Report = Callable[[Exception], None]
"""Takes the reason why a field, or a whole answer, is unknown."""
Kind = TypeVar("Kind")


class Steal(TypedDict):
    """A `StealEvent`, of which each field may be unknown (None or "")."""

    timestamp: Moment | None
    source_gpu: int | str | None
    dest_gpu: int | str | None
    file_name: str
    host: str


class _CheckedUtilization(TypedDict):
    """`GpuUtilization`, with the ranges of its fields."""

    compute_percent: Percent | None
    memory_percent: Percent | None
    temperature: Celsius | None
    power_watts: Watts | None
    compute_max_percent: Percent | None
    energy_joules: Rate | None
    sample_age_seconds: Seconds | None
    simulated: bool
    lost: bool
    memory_used_bytes: Count | None
    memory_total_bytes: Count | None


def device_works(rows: Iterable[object], report: Report) -> list[DeviceWork]:
    """Return the work of each device from the rows of `get_gpu_metrics`."""
    return _read_all(rows, DeviceWork, "a row of get_gpu_metrics", report)


def gpu_utilization(answer: object, report: Report) -> GpuUtilization:
    """Return the figures of one GPU from an answer of `get_gpu_utilization`; None: unknown."""
    checked = _read(answer, _CheckedUtilization, report)
    return GpuUtilization(**checked)


def recent_steals(steals: Iterable[object], report: Report) -> tuple[Steal, ...]:
    """Return the steals from an answer of `get_recent_steal_events`; none if it cannot be iterated to its end."""
    try:
        return tuple(_read_all(steals, Steal, "a steal", report))
    except Exception as error:  # a user's own iterator may raise anything
        report(error)
        return ()


def run_totals(answer: object, works: Sequence[DeviceWork], report: Report) -> RunTotals:
    """Return the run's totals from an answer of `get_totals`; None: the source has none.

    What it does not know is summed up from the devices; a sum is unknown if a part of it is. How many files there
    are in all, and the events, cannot be derived.
    """
    totals = _read(answer, RunTotals, report)
    if totals["files_completed"] is None:
        totals["files_completed"] = whole_sum(work["files_completed"] for work in works)
    if totals["files_failed"] is None:
        totals["files_failed"] = whole_sum(work["files_failed"] for work in works)
    if totals["sequences"] is None:
        totals["sequences"] = whole_sum(work["sequences"] for work in works)
    if totals["steals"] is None:
        totals["steals"] = whole_sum(work["work_stolen_to"] for work in works)
    return totals


def whole_sum(values: Iterable[int | None]) -> int | None:
    """Return the sum; None if a part of it is unknown."""
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _read_all(answers: Iterable[object], kind: type[Kind], what: str, report: Report) -> list[Kind]:
    """Return each of `answers` as the TypedDict `kind`. What has no field of it is reported and left out."""
    read = []
    for answer in answers:
        if _has_fields(answer, _hints(kind)):  # type: ignore[arg-type]
            read.append(_read(answer, kind, report))
        else:
            report(TypeError(f"{what} must be a dict, not {shown(answer)}"))
    return read


def _has_fields(answer: object, names: Iterable[str]) -> bool:
    """Whether `answer` is a dict, or an object with any of the fields."""
    try:
        return isinstance(answer, Mapping) or any(hasattr(answer, name) for name in names)
    except Exception:  # a property that raises is a field
        return True


def _read(answer: object, kind: type[Kind], report: Report) -> Kind:
    """Return `answer` as the TypedDict `kind`."""
    with suppress(msgspec.ValidationError):
        whole: Kind = msgspec.convert(answer, kind)
        return whole  # at once, for thousands of rows of our own sources
    hints = _hints(kind)  # type: ignore[arg-type]
    made: Any = {name: _field(answer, name, hint, report) for name, hint in hints.items()}
    if not made.get("run"):
        made.pop("run", None)
    checked: Kind = made
    return checked


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The type of each field, by name."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: get_args(hint)[0] if get_origin(hint) is NotRequired else hint for name, hint in hints.items()}


def _field(answer: object, name: str, hint: Any, report: Report) -> object:
    """One field, converted to its type; None, or what stands for None in that type, when it is unknown."""
    unknown = None if type(None) in get_args(hint) else {str: "", bool: False}.get(hint)
    value: object = None
    try:
        value = answer.get(name) if isinstance(answer, Mapping) else getattr(answer, name, None)
        plain = _plain(value)
        return unknown if plain is None else msgspec.convert(plain, hint)
    except Exception as error:  # a user's own class may raise anything
        report(error if value is None else ValueError(f"{name}: cannot be {shown(value)}"))
        return unknown


def _plain(value: object) -> object:
    """A number of another library as Python's own, a path as a text; NaN as None. Raises what its class raises."""
    if value is None:
        return None
    if is_bool(value):
        return bool(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes | os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, list | tuple):
        return list(value)
    with suppress(TypeError):
        return operator.index(value)  # type: ignore[arg-type]
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        return None
    return int(number) if number.is_integer() else number
