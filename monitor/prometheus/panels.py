"""The panels of the Grafana dashboard, as a table: what each shows, and by which expression.

In three parts, each of which answers a question. `$run` and `$hostname` are chosen in Grafana; a window of
`$__rate_interval` holds at least four scrapes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["stat", "timeseries"]
RUN = 'run=~"$run"'
DEVICE = 'run=~"$run",hostname=~"$hostname"'
OF_RUN, OF_DEVICE = "{{run}}", "{{hostname}} {{gpu}}"


class Curve(NamedTuple):
    """One expression of a panel, and the legend of its series."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """One panel."""

    title: str
    kind: Kind
    unit: str
    """A unit of Grafana; "none" for a plain number."""
    curves: tuple[Curve, ...]
    text: str
    """What it shows, in a sentence for its (i)."""


class Part(NamedTuple):
    """Panels that answer one question."""

    question: str
    panels: tuple[Panel, ...]


def _range(metric: str, selector: str) -> tuple[Curve, ...]:
    """The likely range of an estimate."""
    ends = (("least", "at least"), ("greatest", "at most"))
    return tuple(Curve(f'{metric}{{{RUN},{selector}end="{end}"}}', f"{OF_RUN} {words}") for end, words in ends)


def _makespan(of: str) -> str:
    return f'virnucpro_makespan_seconds{{{RUN},of="{of}"}}'


PARTS = (
    Part(
        "How is the load spread?",
        (
            Panel(
                "Files done",
                "stat",
                "percentunit",
                (
                    Curve(
                        f"virnucpro_run_files_completed{{{RUN}}} / (virnucpro_files_planned{{{RUN}}} > 0)", OF_RUN
                    ),
                ),
                "Completed files, of the files of the plan.",
            ),
            Panel(
                "Time remaining",
                "stat",
                "s",
                (Curve(f"{_makespan('expected')} - ignoring(of) {_makespan('elapsed')}", OF_RUN),),
                "Expected makespan minus the time that has passed; its range is that of the makespan below.",
            ),
            Panel(
                "Evenness of the busy times",
                "stat",
                "percentunit",
                (Curve(f"virnucpro_jain_index{{{RUN}}}", OF_RUN),),
                "Jain's index: 100 % if all devices were busy for the same time, 1/n if one of n did everything.",
            ),
            Panel(
                "GPU utilization",
                "timeseries",
                "percentunit",
                (Curve(f"virnucpro_gpu_utilization_ratio{{{DEVICE}}}", OF_DEVICE),),
                "Part of the time in which a kernel ran. 100 % means never idle, not full.",
            ),
            Panel(
                "Busy time",
                "timeseries",
                "percentunit",
                (
                    Curve(
                        f"virnucpro_busy_seconds{{{DEVICE}}} / (virnucpro_busy_seconds{{{DEVICE}}} "
                        f"+ virnucpro_idle_seconds{{{DEVICE}}})",
                        OF_DEVICE,
                    ),
                ),
                "Part of the run in which the device had a file in progress.",
            ),
            Panel(
                "Throughput",
                "timeseries",
                "none",
                (Curve(f"virnucpro_throughput_sequences_per_second{{{DEVICE}}}", OF_DEVICE),),
                "Sequences per second, over the last 60 s or 10 files.",
            ),
            Panel(
                "Files pending",
                "timeseries",
                "none",
                (Curve(f"virnucpro_queue_files{{{DEVICE}}}", OF_DEVICE),),
                "Files in the queue of each device.",
            ),
            Panel(
                "CPU of the workers",
                "timeseries",
                "percentunit",
                (Curve(f"virnucpro_worker_cpu_ratio{{{DEVICE}}}", OF_DEVICE),),
                "Of one core. A device with little of both, CPU and GPU, waits: for its disk, or for a lock.",
            ),
            Panel(
                "Reading of the workers",
                "timeseries",
                "Bps",
                (Curve(f"virnucpro_worker_read_bytes_per_second{{{DEVICE}}}", OF_DEVICE),),
                "What read calls return, from the disk or its cache.",
            ),
        ),
    ),
    Part(
        "Does stealing help?",
        (
            Panel(
                "Saved by stealing",
                "stat",
                "s",
                (
                    Curve(f"virnucpro_stealing_saved_seconds{{{RUN}}}", OF_RUN),
                    *_range("virnucpro_stealing_saved_range_seconds", ""),
                ),
                "Makespan without stealing minus the expected one, and its likely range; below 0: it costs time.",
            ),
            Panel(
                "Above the lower bound",
                "stat",
                "percentunit",
                (
                    Curve(f"virnucpro_above_bound_ratio{{{RUN}}}", OF_RUN),
                    *_range("virnucpro_above_bound_range_ratio", ""),
                ),
                "How far the expected makespan is above that of the best distribution, and its likely range.",
            ),
            Panel(
                "Makespan",
                "timeseries",
                "s",
                (
                    Curve(f"virnucpro_makespan_seconds{{{RUN}}}", "{{run}} {{of}}"),
                    *_range("virnucpro_makespan_range_seconds", 'of="expected",'),
                ),
                "Elapsed, expected with its likely range, without stealing, and the lower bound.",
            ),
            Panel(
                "Steals a minute",
                "timeseries",
                "none",
                (
                    Curve(
                        f"60 * rate(virnucpro_files_stolen_total{{{DEVICE}}}[$__rate_interval])",
                        f"to {OF_DEVICE}",
                    ),
                    Curve(
                        f"-60 * rate(virnucpro_files_stolen_away_total{{{DEVICE}}}[$__rate_interval])",
                        f"from {OF_DEVICE}",
                    ),
                ),
                "Files that each device took from others; below 0, files that others took from it.",
            ),
        ),
    ),
    Part(
        "What is wrong?",
        (
            Panel(
                "Files failed",
                "stat",
                "none",
                (Curve(f"virnucpro_run_files_failed{{{RUN}}}", OF_RUN),),
                "Files that failed and will not be retried.",
            ),
            Panel(
                "Events lost",
                "stat",
                "none",
                (Curve(f"virnucpro_events_lost{{{RUN}}}", OF_RUN),),
                "While it is not 0, the other figures may lack something.",
            ),
            Panel(
                "Devices by state",
                "timeseries",
                "none",
                (Curve(f"sum by (run, state) (virnucpro_device_state{{{DEVICE}}})", "{{run}} {{state}}"),),
                "How many devices are busy, idle, loading, lost or silent.",
            ),
            Panel(
                "GPU memory in use",
                "timeseries",
                "percentunit",
                (
                    Curve(
                        f"virnucpro_gpu_memory_used_bytes{{{DEVICE}}} "
                        f"/ virnucpro_gpu_memory_total_bytes{{{DEVICE}}}",
                        OF_DEVICE,
                    ),
                ),
                "Memory in use by any process, of the memory of the GPU.",
            ),
            Panel(
                "GPU power",
                "timeseries",
                "watt",
                (Curve(f"virnucpro_gpu_power_watts{{{DEVICE}}}", OF_DEVICE),),
                "Power drawn by the whole board.",
            ),
            Panel(
                "GPU temperature",
                "timeseries",
                "celsius",
                (Curve(f"virnucpro_gpu_temperature_celsius{{{DEVICE}}}", OF_DEVICE),),
                "Temperature of the chip.",
            ),
        ),
    ),
)
