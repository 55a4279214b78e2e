"""How many CPU cores this process may use: the least of what affinity, cgroup quota and batch system allow.

A quota limits the time on the cores, not which of them are used, so affinity alone counts all cores of the machine
in a container that may use half of one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path, PurePosixPath
from typing import NamedTuple

SLURM_VARIABLE = "SLURM_CPUS_PER_TASK"


class Cores(NamedTuple):
    """A number of cores, and what limits it."""

    number: int
    """At least 1."""
    limit: str | None
    """What allows no more, in words; None: the machine has no more."""


def usable_cores(environment: Mapping[str, str], proc: Path = Path("/proc/self")) -> Cores:
    """Return how many cores the process with this environment and this folder of /proc may use."""
    allowed = len(os.sched_getaffinity(0))
    limits = [Cores(allowed, "CPU affinity" if allowed < (os.cpu_count() or 0) else None)]
    quota = min(_quotas(proc), default=None)
    if quota is not None:
        limits.append(Cores(max(1, ceil(quota)), f"cgroup quota: {quota:g} cores"))
    per_task = environment.get(SLURM_VARIABLE, "")
    if re.fullmatch(r"[1-9][0-9]{0,5}", per_task):
        limits.append(Cores(int(per_task), f"{SLURM_VARIABLE}={per_task}"))
    return min(limits, key=lambda limit: limit.number)


def _quotas(proc: Path) -> Iterator[float]:
    """Yield the quotas, in cores, of the process's cgroups and of all above them."""
    groups = _groups(proc)
    for controller, root, mount in _mounts(proc):
        if controller in groups:
            read = _quota_of_version_1 if controller else _quota_of_version_2
            quotas = map(read, _levels(mount, root, groups[controller]))
            yield from (quota for quota in quotas if quota is not None)


def _groups(proc: Path) -> dict[str, str]:
    """Return the process's cgroups: the path by controller, which is "" in version 2."""
    groups: dict[str, str] = {}
    for line in _lines(proc / "cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        groups |= dict.fromkeys(controllers.split(","), path)
    return groups


def _mounts(proc: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield controller ("cpu", or "" in version 2), root and mount point of each mounted hierarchy with quotas."""
    for line in _lines(proc / "mountinfo"):
        place, _, kind = line.partition(" - ")
        fields, options = place.split(" "), kind.rpartition(" ")[2].split(",")
        if len(fields) < 5:
            continue
        root, mount = (re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), each) for each in fields[3:5])
        if kind.startswith("cgroup2 "):
            yield "", root, Path(mount)
        elif kind.startswith("cgroup ") and "cpu" in options:
            yield "cpu", root, Path(mount)


def _levels(mount: Path, root: str, path: str) -> Iterator[Path]:
    """Yield the folder of the cgroup `path`, as far as it is visible below the mount, and those above it."""
    group = PurePosixPath(path)
    # Of a process outside this namespace, the path is not below the root of what is mounted here.
    below = group.relative_to(root) if group.is_relative_to(root) and ".." not in group.parts else PurePosixPath()
    yield mount / below
    for above in below.parents:
        yield mount / above


def _quota_of_version_1(folder: Path) -> float | None:
    return _ratio([*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")])


def _quota_of_version_2(folder: Path) -> float | None:
    return _ratio(" ".join(_lines(folder / "cpu.max")).split())


def _ratio(numbers: list[str]) -> float | None:
    """Return quota / period; None without a limit, which is written as "max" or -1."""
    match numbers:
        case [quota, period] if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
            return int(quota) / int(period)
    return None


def _lines(path: Path) -> list[str]:
    """Return the lines of a small file; none if it cannot be read."""
    try:
        return path.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
