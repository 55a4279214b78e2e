"""What the hub of a run knows at its end without reading anything again: the same as the capture tells."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.captures import write_capture
from tests.support.runs import MadeRun, made_runs
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold import windows
from virnucpro_bus.hub import run_fold
from virnucpro_bus.hub.run_fold import RunFold
from virnucpro_bus.sources.recording import read_recording
from virnucpro_bus.testing import Script
from virnucpro_bus.timeline.sample_recorder import SampleRecorder

FOREIGN_FRAME = b"\xc1 not an event"


def fold_of(path: Path, *, limit_bytes: int = 1 << 20, samples_kept: int = 1_000) -> RunFold:
    data = path.read_bytes()
    fold = RunFold(lambda at, limit: data[at : at + min(limit, limit_bytes)], ManualClock(), samples_kept)
    fold.advance_to_end()
    return fold


def assert_that_it_is_as_read(path: Path, fold: RunFold) -> None:
    ended, read = fold.take_ended_run(path), read_recording(path, ManualClock(), with_info=True).ended_run()
    assert ended is not None
    assert read is not None
    assert (ended.files, ended.info) == (read.files, read.info)
    assert (ended.ended_ns, ended.stamp) == (read.ended_ns, read.stamp)
    assert ended.fleet.report() == read.fleet.report()
    assert (ended.fleet.attempts(), ended.fleet.failures()) == (read.fleet.attempts(), read.fleet.failures())
    assert ended.fleet.elapsed_seconds() == read.fleet.elapsed_seconds()


@given(made_runs(), st.integers(1, 5_000))
def test_a_run_that_is_over_is_known_as_its_capture_tells(run: MadeRun, limit_bytes: int) -> None:
    run.script.say("coordinator", ev.RunFinished(0, 0, 0), epoch=run.session)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.vbus"
        write_capture(path, [*run.script.frames(), FOREIGN_FRAME])
        assert_that_it_is_as_read(path, fold_of(path, limit_bytes=limit_bytes))


steps = st.lists(
    st.tuples(
        st.sampled_from(["sample", "sample", "sample without energy", "begin", "end"]),
        st.integers(0, 1),
        st.sampled_from([0.0, 0.5, 0.5, 1.5, 8.0]),
    ),
    min_size=10,
    max_size=60,
)
"""What happens on which GPU, and how many seconds after what was before."""


@given(steps, st.integers(1, 8))
def test_samples_are_kept_as_long_as_the_last_files_need_them(
    steps: list[tuple[str, int, float]], samples_kept: int
) -> None:
    script, begun = Script(), dict[int, int]()
    script.say("coordinator", ev.RunStarted("job", "threshold", (Device("GPU-0"), Device("GPU-1")), 9))
    for number, (what, gpu, seconds) in enumerate(steps):
        script.clock.advance(seconds)
        key, now_ns = f"GPU-{gpu}", script.clock.mono_ns()
        if what == "begin":
            script.say(f"worker-{gpu}", ev.FileStarted(key, f"{number}.fa", 1))
            begun[gpu] = now_ns
        elif what == "end":
            took = (now_ns - begun.pop(gpu, now_ns)) / 1e9
            script.say(f"worker-{gpu}", ev.FileCompleted(key, f"{number}.fa", 1, 7, took))
        else:
            energy = number**2 if what == "sample" else None
            sample = ev.GpuSampled(
                Device(key), 7.0 * (number % 9), memory_used_bytes=number, energy_millijoules=energy
            )
            script.say("sampler", sample)
    script.say("coordinator", ev.RunFinished(0, 0, 0))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "KEPT_FILES", 3)
        path = Path(folder) / "run.vbus"
        write_capture(path, script.frames())
        assert_that_it_is_as_read(path, fold_of(path, samples_kept=samples_kept))


def test_samples_of_long_ago_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list[int]()

    class Watched(SampleRecorder):
        def drop_before(self, times_ns: Mapping[str, int]) -> int:
            kept.append(super().drop_before(times_ns))
            return kept[-1]

    monkeypatch.setattr(run_fold, "SampleRecorder", Watched)
    script = Script()
    for number in range(1_000):
        script.say("sampler", ev.GpuSampled(Device("GPU-a"), 1.0), after_seconds=0.5)
        if number == 500:
            script.say("worker-0", ev.FileStarted("GPU-a", "a.fa", 1))
    write_capture(tmp_path / "run.vbus", script.frames())
    fold_of(tmp_path / "run.vbus", samples_kept=50, limit_bytes=1_000)
    until_the_file, since_then = kept[:10], kept[10:]
    assert max(until_the_file) < 20
    assert (since_then, len(since_then)) == (sorted(since_then), 4)


def test_of_a_run_that_goes_on_and_of_a_capture_that_holds_more_nothing_is_told(tmp_path: Path) -> None:
    script, path = Script(), tmp_path / "run.vbus"
    script.say("coordinator", ev.RunStarted("job", "threshold", (Device("GPU-0"),), 1))
    write_capture(path, script.frames())
    assert fold_of(path).take_ended_run(path) is None
    script.say("coordinator", ev.RunFinished(0, 0, 0))
    path.unlink()
    write_capture(path, script.frames())
    fold = fold_of(path)
    with path.open("ab") as file:
        file.write(b"x")
    assert fold.take_ended_run(path) is None
