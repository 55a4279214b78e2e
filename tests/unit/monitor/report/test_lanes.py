from __future__ import annotations

import math

import pytest

from monitor.markup.scales import TimeScale
from monitor.report.lanes import curves_of, finite_mean, lanes
from tests.support.reported_runs import GPUS, ParsedPage, reported, small_run
from virnucpro_bus import events as ev
from virnucpro_bus.testing import Script

GPU = GPUS[0]


def sampled(*samples: ev.GpuSampled | None) -> Script:
    """A sample each second; None: none was taken."""
    script = Script()
    script.say("worker-0", ev.WorkerStarted(GPU, 1))
    script.say("worker-0", ev.FileStarted(GPU.key, "a.fa", 1))
    for sample in samples:
        if sample is not None:
            script.say("sampler", sample)
        script.clock.advance(1.0)
    script.say("worker-0", ev.FileCompleted(GPU.key, "a.fa", 1, 1, float(len(samples))))
    return script


def test_a_curve_is_the_mean_of_the_samples_in_each_part_and_unknown_without_any() -> None:
    run = reported(
        sampled(
            ev.GpuSampled(GPU, 10.0, None, 10, 40, 50.0, 100.0),
            ev.GpuSampled(GPU, 30.0, None, 30, 40, None, 200.0),
            None,
            None,
            ev.GpuSampled(GPU, None, None, None, 40, 60.0, None),
            None,
        )
    )
    columns = run.timeline.samples["node", GPU.key]
    start_ns, end_ns = run.span_ns
    curves = curves_of(columns, [start_ns, start_ns + 2 * 10**9, start_ns + 4 * 10**9, end_ns])
    assert curves.load == [20.0, None, None]
    assert curves.memory == [50.0, None, None]
    assert curves.power == [150.0, None, None]
    assert curves.temperature == [50.0, None, 60.0]


def test_a_mean_is_of_the_known_figures() -> None:
    assert finite_mean([1.0, math.nan, 3.0]) == 2.0
    assert finite_mean([math.nan]) is None
    assert finite_mean([]) is None


@pytest.mark.parametrize(("missing", "pieces"), [(1, 1), (6, 2)])
def test_a_curve_has_a_gap_where_nothing_is_known_for_long(missing: int, pieces: int) -> None:
    sample = ev.GpuSampled(GPU, 50.0, None, 10, 40, 50.0, 100.0)
    run = reported(sampled(sample, sample, *[None] * missing, sample, sample))
    page = ParsedPage(lanes(run, TimeScale(run.span_ns[0], run.seconds)) or "")
    curves = [path for path in page.values("d", "path") if "L" in path and not path.endswith("z")]
    assert len(curves) == 4
    assert [each.count("M") for each in curves] == [pieces] * 4


def test_without_samples_there_is_no_drawing() -> None:
    run = reported(sampled(None))
    assert lanes(run, TimeScale(run.span_ns[0], run.seconds)) is None


def test_the_drawing_says_what_its_lanes_stand_for() -> None:
    run = reported(small_run())
    page = ParsedPage(lanes(run, TimeScale(run.span_ns[0], run.seconds)) or "")
    assert "Lower lane: 0 to 300 W, and 0 to 60 °C" in page.text
    assert {"GPU 0", "GPU 1"} <= set(page.texts)
