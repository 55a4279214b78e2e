"""The tables of the run: its devices, its notices, and its environment as far as it is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.markup.html import Content
from monitor.markup.tables import Column, grouped_table, table
from monitor.report.lanes import finite_mean
from monitor.report.reported_run import ReportedRun, group_of
from monitor.report.summary import energy_joules, watt_hours
from monitor.view.formatting import short_name
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.metrics import GpuMetrics
from virnucpro_bus.samples.gpu_figures import UNKNOWN as UNKNOWN_SAMPLE
from virnucpro_bus.samples.gpu_figures import GpuFigures
from virnucpro_bus.samples.joint_figures import joint_figures
from virnucpro_bus.timeline.sample_columns import SampleColumns
from virnucpro_bus.timeline.timeline import TimedNotice
from virnucpro_bus.units import duration

MAX_DEVICES = 512
MAX_NOTICES = 100


def devices(runs: Sequence[ReportedRun]) -> Content:
    """What each device did, and what its GPU was like."""
    rows = [(run.name, _device_row(run, row)) for run in runs for row in run.devices]
    if not rows:
        return None
    columns = [
        Column("device"),
        Column("model"),
        Column("host"),
        *(
            Column(name, is_number=True)
            for name in (
                *("files", "stole", "lost to others", "failed", "sequences"),
                *("busy", "idle", "loading", "mean load", "peak memory", "energy"),
            )
        ),
        Column("key"),
    ]
    shown = rows[:MAX_DEVICES]
    caption = f"The first {len(shown)} of {len(rows):,} devices" if len(shown) < len(rows) else "Devices"
    return grouped_table(
        f"{caption}; load, memory and energy are of all samples, from the first to the last",
        columns,
        shown,
        group_of(runs),
    )


def _device_row(run: ReportedRun, row: GpuMetrics) -> list[Content]:
    host, key = row["host"], row["key"]
    effect = run.effects.get(host) or run.effect
    busy, idle = effect["busy_seconds"].get(key), effect["idle_seconds"].get(key)
    load, peak, energy = joint_figures([_figures(gpu) for gpu in run.timeline.samples_of(host, key).values()])
    return [
        run.label(host, key),
        short_name(row["device_name"]) or None,
        host,
        f"{row['files_completed']:,}",
        f"{row['work_stolen_to']:,}",
        f"{row['work_stolen_from']:,}",
        f"{row['files_failed']:,}",
        f"{row['sequences']:,}",
        duration(busy),
        duration(idle),
        duration(effect["loading_seconds"].get(key)),
        None if load is None else f"{load:.0f} %",
        None if peak is None else f"{peak / 2**30:.1f} GiB",
        None if energy is None else watt_hours(energy),
        key,
    ]


def _figures(samples: SampleColumns) -> GpuFigures:
    """What a GPU did from its first sample to its last."""
    if not len(samples):
        return GpuFigures()
    peak = max(samples.memory_bytes)
    return GpuFigures(
        finite_mean(samples.compute_percent), None if peak == UNKNOWN_SAMPLE else peak, energy_joules(samples)
    )


def notices(runs: Sequence[ReportedRun]) -> Content:
    """What the user was told during the run."""
    rows = [(run.name, [_after(run, each), each.text]) for run in runs for each in run.timeline.notices]
    if not rows:
        return None
    shown = rows[-MAX_NOTICES:]
    caption = f"The last {len(shown)} of {len(rows):,} notices" if len(shown) < len(rows) else "Notices"
    columns = [
        Column("after", is_number=True),
        Column("notice", is_long=True),
    ]
    return grouped_table(caption, columns, shown, group_of(runs))


def _after(run: ReportedRun, notice: TimedNotice) -> str | None:
    return duration((notice.at_ns - run.span_ns[0]) / NANOSECONDS) if run.span_ns[1] else None


def environment(runs: Sequence[ReportedRun]) -> Content:
    """What is recorded of where and how a run ran. What is not recorded is n/a."""
    every = [dict(_environment_of(run)) for run in runs]
    columns = [Column("of"), *(Column(run.name if len(runs) > 1 else "recorded", is_long=True) for run in runs)]
    return table("Environment", columns, [[name, *(each[name] for each in every)] for name in every[0]])


def _environment_of(run: ReportedRun) -> Iterator[tuple[str, str | None]]:
    announced = run.announced
    models = sorted({row["device_name"] for row in run.devices if row["device_name"]})
    settings = sorted({fold.run.settings for fold in run.recording.fleet.hosts() if fold.run is not None})
    yield "run", ", ".join(each["run"] for each in announced) or None
    yield "job", ", ".join(sorted({each["job"] for each in announced})) or None
    yield "policy", ", ".join(sorted({each["policy"] for each in announced})) or None
    yield "settings (digest of the job and its options)", ", ".join(filter(None, settings)) or None
    yield "sessions (the first start, and each resumption)", str(len(run.timeline.sessions) or "") or None
    yield "hosts", ", ".join(run.hosts) or None
    yield "device models", ", ".join(models) or None
    yield "command, program version and Python of the run", None
    yield "capture", str(run.recording.path)
