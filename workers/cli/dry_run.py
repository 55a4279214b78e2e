"""What `run --dry-run` prints: what the run would do, as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, likely_duration
from workers.cli.input_arguments import left_out_lines
from workers.preview.preview import DevicePreview, Preview, RunRequest, preview

MAX_NOTES_SHOWN = 10
_BEGINS = {
    "new": "a new run",
    "resumed": "the run in it is resumed",
    "replaced": "the run in it is removed, and a new one begins",
}


def show_preview(request: RunRequest, *, as_json: bool) -> None:
    """Print what a run would do. Raises UserError and CaptureError, as the run would."""
    found = preview(request, SystemClock())
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for line in _lines(found, [*left_out_lines(request.found)]):
        click.echo(visible(line))


def _lines(found: Preview, left_out: list[str]) -> Iterator[str]:
    reads = "sequences" if found["reads"] == "both" else found["reads"]
    yield f"job        {found['job']}, which reads {reads}"
    yield f"folder     {found['run_dir']}: {_BEGINS[found['begins']]}"
    yield f"files      {_count(found['files'])}, {found['work']:,.0f} of work ({_unit(found)})"
    yield f"policy     {found['policy']}"
    if found["devices"] is not None:
        yield ""
        yield from _table(found, found["devices"])
        yield ""
    if found["longest_to_mean"] is not None:
        yield f"longest    {_longest(found)}, {found['longest_to_mean']:.2f} times the mean of all (work / weight)"
    time = likely_duration(found["makespan_seconds"], found["makespan_range"])
    yield f"expected   {time if found['unknown'] is None else 'unknown: ' + found['unknown']}"
    if found["files_done_before"]:
        yield f"done       {_count(found['files_done_before'])} in earlier sessions"
    for note in found["notes"][:MAX_NOTES_SHOWN]:
        yield f"again      {note}"
    if (more := len(found["notes"]) - MAX_NOTES_SHOWN) > 0:
        yield f"again      {more} more files"
    if found["shard"] is not None:
        yield f"shard      {found['shard']}: {_count(found['files_of_other_shards'])} in other shards"
    for line in left_out:
        yield f"inputs     {line}"
    yield "dry run: nothing was started or written"


def _table(found: Preview, devices: list[DevicePreview]) -> Iterator[str]:
    rows = [("device", "weight", "files", f"work ({_unit(found)})", "share")]
    for each in devices:
        percent = each["work_percent"]
        name = f" ({each['device_name']})" if each["device_name"] else ""
        rows.append(
            (
                f"{each['device_id']}{name}",
                f"{each['weight']:g}",
                f"{each['files']:,}",
                f"{each['work']:,.0f}",
                UNKNOWN if percent is None else f"{percent:.1f} %",
            )
        )
    first, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    for device, *cells in rows:
        numbers = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        yield "  ".join([device.ljust(first), *numbers])


def _longest(found: Preview) -> str:
    """Return the displayed id of the device that ends last."""
    ids = {each["key"]: each["device_id"] for each in found["devices"] or ()}
    return str(ids[found["longest_device"] or ""])


def _unit(found: Preview) -> str:
    return "bases" if found["work_unit"] == "bases" else "as the job estimates"


def _count(files: int) -> str:
    return f"{files:,} file{'' if files == 1 else 's'}"
