"""A fold that is handed over as bytes: whoever takes it over goes on as if it had folded everything itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.runs import MadeRun, made_runs
from tests.support.snapshots import content_of, dumped, joined, load, parts_of
from tests.support.strategies import envelopes
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.snapshot import format as snapshot_format
from virnucpro_bus.snapshot.format import _DIGEST_BYTES, unpack
from virnucpro_bus.testing import Script

KEYS: list[int | str] = ["GPU-0", "GPU-1", "GPU-2", "cpu:0", 0, 1]


def folded(frames: list[bytes], clock: ManualClock | None = None) -> FleetState:
    fleet = FleetState(clock or ManualClock())
    fleet.feed(frames)
    return fleet


def taken_over(fleet: FleetState, clock: ManualClock | None = None) -> FleetState:
    other = FleetState(clock or ManualClock())
    load(other, dumped(fleet))
    return other


def everything(fleet: FleetState) -> dict[str, Any]:
    """All that a fleet can be asked for."""
    return {
        "report": fleet.report(),
        "utilization": [fleet.get_gpu_utilization(key) for key in KEYS],
        "elapsed": fleet.elapsed_seconds(),
        "finished": fleet.finished,
        "notices": fleet.notices(),
        "remarks": fleet.stream_warnings(),
        "failures": fleet.failures(),
        "missing": {
            (name, source, epoch): stream.seen.missing()
            for name, host in fleet._hosts.items()
            for source, epoch, stream in host.fold.streams()
        },
    }


@given(data=st.data(), run=made_runs())
def test_at_any_cut_what_is_fed_later_in_any_order_and_twice_ends_in_the_same_figures(
    data: st.DataObject, run: MadeRun
) -> None:
    frames = run.script.frames()
    cut = data.draw(st.integers(0, len(frames)))
    overlap = data.draw(st.lists(st.sampled_from(frames), max_size=20))
    rest = data.draw(st.permutations(frames[cut:] + overlap))
    fleet = taken_over(folded(frames[:cut]))
    fleet.feed(rest)
    assert everything(fleet) == everything(folded(frames))


@given(data=st.data(), run=made_runs())
def test_what_a_snapshot_misses_can_be_fed_later(data: st.DataObject, run: MadeRun) -> None:
    frames = run.script.frames()
    first = data.draw(st.lists(st.sampled_from(frames), unique=True))
    fleet = taken_over(folded(first))
    assert everything(fleet) == everything(folded(first))
    fleet.feed(frames)
    assert everything(fleet) == everything(folded(frames))


@given(run=made_runs(), seconds=st.integers(0, 90))
def test_live_figures_go_on_from_a_snapshot(run: MadeRun, seconds: int) -> None:
    frames, clock = run.script.frames(), run.script.clock
    direct, late = FleetState(clock), taken_over(folded(frames[:-1]), clock)
    for fleet, part in ((direct, frames), (late, frames[-1:])):
        fleet.feed(part, clock.mono_ns())
    clock.advance(seconds)
    assert everything(late) == everything(direct)


def few(value: str) -> SearchStrategy[str]:
    return st.sampled_from([f"{value}{at}" for at in range(2)])


@st.composite
def crowded(draw: st.DrawFn) -> Envelope:
    """Any event at all, from one of so few streams that they get into each other's way."""
    return msgspec.structs.replace(
        draw(envelopes()),
        host=draw(few("node")),
        source=draw(few("w")),
        epoch=draw(st.integers(0, 1)),
        seq=draw(st.one_of(st.integers(1, 12), st.integers(1, 2**63 - 1))),
    )


@given(
    frames=st.lists(st.one_of(crowded().map(encode), st.binary(max_size=8)), max_size=15), cut=st.integers(0, 15)
)
def test_whatever_the_events_folding_on_from_a_snapshot_is_as_folding_on(frames: list[bytes], cut: int) -> None:
    whole = folded(frames[:cut])
    fleet = taken_over(whole)
    assert dumped(fleet) == dumped(whole)
    for each in (fleet, whole):
        each.feed(frames[cut:])
        for host in each._hosts.values():
            assert host.fold.last_ns == max((stream.heard_ns for *_, stream in host.fold.streams()), default=0)
    assert everything(fleet) == everything(whole)
    assert dumped(fleet) == dumped(whole)


def test_counts_and_times_beyond_what_an_event_can_tell_stay_there() -> None:
    most = 2**63 - 1
    script = Script()
    for _ in range(3):
        script.say("w0", ev.FileCompleted("GPU-0", "a.fa", 1, most, 1e12))
    (row,) = taken_over(folded(script.frames())).get_gpu_metrics()
    assert (row["files_completed"], row["sequences"]) == (3, most)
    for _ in range(2):
        script.say("coordinator", ev.FileReopened("a.fa", "GPU-0", True, most, "it is done again"))
    (row,) = taken_over(folded(script.frames())).get_gpu_metrics()
    assert (row["files_completed"], row["sequences"]) == (1, 0)


def a_long_watch(days: int) -> Script:
    """One GPU that was looked at every twenty seconds, then every half second."""
    script, gpu = Script(), Device("GPU-8a4f6f8e-1c9d-4d5e-9f6a-000000000000", "NVIDIA H100 80GB HBM3", 0)
    for pause_seconds, times in ((20, days * 4320), (0.5, 1_000)):
        for at in range(times):
            look = ev.GpuSampled(gpu, 97.0, 43.2, at << 20, 1 << 36, 71.0, 650.5, energy_millijoules=at << 20)
            script.say("sampler", look, after_seconds=pause_seconds)
    return script


# What is refused.


def a_fleet() -> FleetState:
    script = Script()
    gpu = Device("GPU-0", "A100", 0)
    script.say("coordinator", ev.RunStarted("job", "cost", (gpu,), 9))
    script.say("w0", ev.WorkerStarted(gpu, 100))
    script.say("w0", ev.WorkStolen("GPU-0", "GPU-1", "a.fa", 1, script.clock.wall_ns()))
    script.say("w0", ev.FileStarted("GPU-0", "a.fa", 1))
    script.say("w0", ev.FileProgress("GPU-0", "a.fa", 1, 50))
    script.say("w0", ev.FileCompleted("GPU-0", "a.fa", 1, 100, 4.0), after_seconds=4)
    script.say("w0", ev.FileFailed("GPU-0", "b.fa", 1, "not FASTA", 0.1))
    script.say("w0", ev.Heartbeat("GPU-0", "idle", 1, 1, 100, 1, 0))
    script.say("sampler", ev.GpuSampled(gpu, 50.0, 25.0, 1, 4, 60.0, 200.0, energy_millijoules=9_000))
    script.say("coordinator", ev.Notice("worker-9 was killed"))
    script.say("coordinator", ev.QueueDepths({"GPU-0": 3}))
    frames = script.frames()
    return folded([*frames[:4], *frames[5:], b"\xc1"])


def assert_that_it_is_refused_or_harmless(data: bytes) -> None:
    fleet = FleetState(ManualClock())
    try:
        load(fleet, data)
    except SnapshotError:
        load(fleet, dumped(a_fleet()))
    else:
        script = Script()
        for number in range(12):
            script.say("w0", ev.FileCompleted("GPU-0", f"{number}.fa", 1, 100, 4.0), after_seconds=4)
        fleet.feed(script.frames(), script.clock.mono_ns())
        dumped(fleet)
    everything(fleet)


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_snapshot_are_refused_and_leave_the_fleet_usable(data: bytes) -> None:
    fleet = FleetState(ManualClock())
    with pytest.raises(SnapshotError):
        load(fleet, data)
    load(fleet, dumped(a_fleet()))
    assert everything(fleet) == everything(a_fleet())


@given(body=st.binary(max_size=200))
def test_any_bytes_under_the_right_layout_are_refused_or_harmless(body: bytes) -> None:
    assert_that_it_is_refused_or_harmless(dumped(a_fleet())[:_DIGEST_BYTES] + body)


@given(data=st.data())
@settings(max_examples=200)
def test_a_snapshot_with_any_bytes_changed_is_refused_or_harmless(data: st.DataObject) -> None:
    snapshot = bytearray(dumped(a_fleet()))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(_DIGEST_BYTES, len(snapshot) - 1))
        snapshot[at] = data.draw(st.integers(0, 255))
    assert_that_it_is_refused_or_harmless(bytes(snapshot))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value in a decoded snapshot."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1]),
    st.floats(),
    st.sampled_from(["", "x", "GPU-0", "busy", "lost", "x" * 5_000]),
    st.just([]),
    st.just({}),
)


@given(data=st.data())
@settings(max_examples=300)
def test_a_snapshot_with_any_value_replaced_is_refused_or_harmless(data: st.DataObject) -> None:
    whole = dumped(a_fleet())
    parts = parts_of(whole)
    *way, last = data.draw(st.sampled_from(list(places(parts))))
    holder: Any = parts
    for key in way:
        holder = holder[key]
    holder[last] = data.draw(VALUES)
    assert_that_it_is_refused_or_harmless(joined(whole, parts))


def test_a_snapshot_that_counts_clashes_of_names_without_a_name_is_harmless() -> None:
    whole = dumped(a_fleet())
    parts = parts_of(whole)
    log = next(value for value in parts[0][1][0] if isinstance(value, dict) and "clashes" in value)
    log["clashes"] = 1
    assert_that_it_is_refused_or_harmless(joined(whole, parts))


def test_a_state_of_a_worker_that_is_none_of_ours_is_refused() -> None:
    whole = dumped(a_fleet())
    assert whole.count(b"\xa5state\xa4idle") == 1
    with pytest.raises(SnapshotError, match="Invalid enum value 'idly'"):
        unpack([whole.replace(b"\xa5state\xa4idle", b"\xa5state\xa4idly")])


@pytest.mark.parametrize("fold", [[{}, [["h"]]], [{}]], ids=["host", "fold"])
def test_a_record_that_lacks_fields_is_refused(fold: Any) -> None:
    with pytest.raises(SnapshotError, match="of at least length"):
        unpack([joined(dumped(a_fleet()), [fold])])


def test_a_device_or_a_stream_that_lacks_fields_is_refused() -> None:
    whole = dumped(a_fleet())
    for path, name, short in (("_devices", "GPU-0", [["GPU-0"]]), ("_streams", "w0", {1: {}})):
        parts = parts_of(whole)
        content_of(parts, path)[name] = short
        with pytest.raises(SnapshotError, match=r"of at least length|missing required field"):
            unpack([joined(whole, parts)])


def test_a_snapshot_of_too_many_devices_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    for number in range(10):
        script.say("coordinator", ev.QueueDepths({f"GPU-{number}": 1}))
    fleet = folded(script.frames())
    taken_over(fleet)
    monkeypatch.setattr(snapshot_format, "MAX_WINDOWS", 9)
    with pytest.raises(SnapshotError, match="more than 9 windows and histories"):
        taken_over(fleet)


def test_a_snapshot_cut_short_anywhere_is_refused() -> None:
    whole = dumped(a_fleet())
    for length in range(len(whole)):
        with pytest.raises(SnapshotError):
            unpack([whole[:length]])


@pytest.mark.parametrize(
    "ranges", [[0, 0, [], []], [5, 3, [1], []], [9, 7, [5, 1], [6, 2]], [9, 1, [1], [4]], [3, 5, [], []]]
)
def test_ranges_of_numbers_that_contradict_each_other_are_refused(ranges: list[Any]) -> None:
    expected, newest, starts, ends = ranges
    named = {"expected": expected, "_newest_start": newest, "_starts": starts, "_ends": ends}
    whole = dumped(a_fleet())
    parts = parts_of(whole)
    streams = content_of(parts, "_streams")
    assert set(streams["w0"][1]["seen"]) == set(named)
    streams["w0"][1]["seen"] = named
    with pytest.raises(SnapshotError, match=r"numbers|zip"):
        unpack([joined(whole, parts)])


def test_a_snapshot_of_another_layout_is_refused() -> None:
    whole = dumped(a_fleet())
    with pytest.raises(SnapshotError, match="another version"):
        unpack([bytes([whole[0] ^ 1]) + whole[1:]])


def test_a_fleet_that_has_folded_something_takes_over_nothing() -> None:
    fleet = a_fleet()
    before = everything(fleet)
    with pytest.raises(SnapshotError, match="already folded"):
        load(fleet, dumped(a_fleet()))
    assert everything(fleet) == before


def test_another_process_of_this_version_takes_a_snapshot_over() -> None:
    code = (
        "import sys; from virnucpro_bus.fold.fleet import FleetState; from virnucpro_bus.clock import ManualClock;"
        "from virnucpro_bus.snapshot.format import unpack;"
        "fleet = FleetState(ManualClock()); fleet.load(unpack([sys.stdin.buffer.read()]));"
        "print(fleet.get_totals()['files_completed'])"
    )
    told = subprocess.run([sys.executable, "-c", code], input=dumped(a_fleet()), capture_output=True, check=True)
    assert told.stdout.split() == [b"1"]


def test_the_snapshot_of_4096_busy_devices_is_a_few_megabytes() -> None:
    script = Script()
    for number in range(4096):
        device = Device(f"GPU-8a4f6f8e-1c9d-4d5e-9f6a-{number:012}", "NVIDIA H100 80GB HBM3", number % 8)
        worker, file = f"worker-{number}", f"sample_{number}.fasta.gz"
        for at in range(12):
            done = ev.FileCompleted(device.key, file, 1, 100_000, 8.0)
            script.say(worker, done, after_seconds=0.001 if at else 0)
        script.say(worker, ev.FileStarted(device.key, file, 1))
        script.say(worker, ev.Heartbeat(device.key, "busy", 12, 0, 1_200_000, 0, 0))
        script.say("sampler", ev.GpuSampled(device, 97.0, 43.2, 1 << 35, 1 << 36, 71.0, 650.5))
    assert len(dumped(folded(script.frames()))) < 6_000_000


def test_the_snapshot_of_a_gpu_that_was_sampled_for_days_takes_a_few_kilobytes() -> None:
    fleet = FleetState(ManualClock())
    fleet.feed(a_long_watch(days=2).frames())
    assert len(dumped(fleet)) < 20_000
    assert everything(taken_over(fleet)) == everything(fleet)


def test_a_snapshot_tells_how_long_ago_each_host_was_heard() -> None:
    script, clock = Script(), ManualClock(mono=90_000 * NANOSECONDS)
    script.say("w0", ev.FileCompleted("GPU-0", "a.fa", 1, 100, 4.0))
    fleet = FleetState(clock)
    fleet.feed(script.frames(), clock.mono_ns())
    clock.advance(6)
    assert fleet.get_gpu_metrics()[0]["throughput"] == 10.0
    assert everything(taken_over(fleet, clock)) == everything(fleet)
