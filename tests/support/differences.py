"""Compares a report of the program with a reckoning of the same moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import repeat
from typing import Any

from tests.support.reckoning import Reckoning

CLOCKS_AGREE_SECONDS = 2.5
"""So much wall clocks may differ and count as equal, and so long a delivery may take."""
TIMES_AGREE_SECONDS = 0.01
"""For real runs: when a file started, an event says, and its end and duration: two readings of the clock."""
SOURCE_FIELDS = ("host", "source", "epoch", "published", "received")


def report_differences(report: Mapping[str, Any], reckoning: Reckoning, error: float = 1e-6) -> list[str]:
    """What a report says otherwise than the reckoning, one line each; `error` is both relative and absolute."""
    wrong = []
    rows = {(row["host"], row["uuid"] or row["device_id"]): row for row in report["devices"]}
    if rows.keys() != reckoning.devices.keys():
        wrong.append(f"devices: {sorted(rows)}, expected {sorted(reckoning.devices)}")
    for device, figures in reckoning.devices.items():
        seen = {**rows[device], "is_silent": rows[device]["state"] == "silent"}
        wrong += _differences(f"{device}", seen, figures, error)
    wrong += _differences("totals", report["totals"], reckoning.totals, error)
    lists = {
        "files": sorted((each["file"], each["ended"], each["duration_seconds"]) for each in report["files"]),
        "steals": sorted(each["file_name"] for each in report["steals"]),
        "sources": [tuple(each[name] for name in SOURCE_FIELDS) for each in report["sources"]],
    }
    wrong += _differences("list", lists, {name: getattr(reckoning, name) for name in lists}, error)
    if len(reckoning.hosts) == 1:
        [host] = reckoning.hosts.values()
        wrong += _differences("effect", report["effect"], host.effect, error)
    return wrong


def _differences(what: str, seen: Mapping[str, Any], expected: Mapping[str, Any], error: float) -> list[str]:
    return [
        f"{what}: {name} is {seen[name]}, expected {value}"
        for name, value in expected.items()
        if not _agree(seen[name], value, error)
    ]


def _agree(seen: Any, expected: Any, error: float) -> bool:
    if isinstance(expected, dict):
        return seen.keys() == expected.keys() and all(_agree(seen[key], expected[key], error) for key in expected)
    if isinstance(expected, list | tuple):
        return len(seen) == len(expected) and all(map(_agree, seen, expected, repeat(error)))
    if isinstance(expected, float) and seen is not None:
        if expected > 1e9:  # a time of day
            return bool(abs(seen - expected) <= CLOCKS_AGREE_SECONDS)
        return math.isclose(seen, expected, rel_tol=error, abs_tol=error)
    return bool(seen == expected)
