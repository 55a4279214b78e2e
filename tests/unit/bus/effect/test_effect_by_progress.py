"""What is expected of a run whose jobs report how much of their files is done."""

from __future__ import annotations

import pytest

from tests.support.effects import do, planned, told
from tests.support.shaped_runs import sorted_by_length
from virnucpro_bus import events as ev
from virnucpro_bus.metrics import Effect
from virnucpro_bus.testing import Script


def start(script: Script, device: str, file: str, done: int = 0, after_seconds: float = 0.0) -> None:
    """A device starts a file, of which it has done so many of 1,000 sequences after these seconds."""
    source = f"worker-{device[-1]}"
    script.say(source, ev.FileStarted(device, file, 1))
    script.clock.advance(after_seconds)
    if done:
        script.say(source, ev.FileProgress(device, file, 1, done, 1_000))


def alone(files: str, done: int, after_seconds: float) -> Script:
    """One of two devices has begun the first of its files; the other one is not there."""
    script = planned(dict.fromkeys(files, "cpu:0"), policy="off", loading=["cpu:1"])
    start(script, "cpu:0", files[0], done, after_seconds)
    return script


def test_before_any_file_is_done_the_end_is_expected_by_the_progress_of_the_first() -> None:
    effect = told(alone("abc", 500, 5.0))
    assert effect["makespan_seconds"] == 5.0
    for figure in ("makespan_expected", "makespan_without_stealing"):
        assert effect[f"{figure}_seconds"] == pytest.approx(30.0)  # type: ignore[literal-required]
    assert effect["saved_seconds"] == pytest.approx(0.0)
    assert effect["lower_bound_seconds"] == pytest.approx(15.0), "the other device is supposed to be as fast"


def test_the_speed_is_that_of_the_time_when_progress_was_reported() -> None:
    script = alone("abc", 500, 5.0)
    script.clock.advance(3.0)
    assert told(script)["makespan_expected_seconds"] == pytest.approx(30.0)


def test_the_time_until_a_file_is_started_is_no_part_of_its_speed() -> None:
    script = planned(dict.fromkeys("abc", "cpu:0"), policy="off", loading=["cpu:1"])
    script.clock.advance(1_000.0)
    start(script, "cpu:0", "a", 500, 5.0)
    assert told(script)["makespan_expected_seconds"] == pytest.approx(30.0)


@pytest.mark.parametrize("done", [0, 99])
def test_too_little_progress_shows_nothing(done: int) -> None:
    script = alone("abc", done, 5.0)
    assert told(script)["makespan_expected_seconds"] is None
    script.say("worker-0", ev.FileProgress("cpu:0", "a", 1, 100, 1_000))
    assert told(script)["makespan_expected_seconds"] is not None


def test_progress_without_a_total_shows_nothing() -> None:
    script = alone("abc", 0, 5.0)
    script.say("worker-0", ev.FileProgress("cpu:0", "a", 1, 500), after_seconds=5.0)
    assert told(script)["makespan_expected_seconds"] is None


def test_a_device_without_progress_is_supposed_to_be_like_those_with_it() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:1", "c": "cpu:1"}, policy="off")
    start(script, "cpu:0", "a")
    start(script, "cpu:1", "b")
    script.say("worker-0", ev.FileProgress("cpu:0", "a", 1, 500, 1_000), after_seconds=5.0)
    # 20 s if it was as fast, but it is not so fast that its file would be done after 5 s.
    assert told(script)["makespan_expected_seconds"] == pytest.approx(22.0, abs=3.0)


@pytest.mark.parametrize("spread", [-0.7, 0.0, 0.7], ids=["shortest first", "unsorted", "longest first"])
@pytest.mark.parametrize("time", [0.35, 0.5, 0.75])
def test_the_range_holds_the_end_in_whatever_order_sequences_are_taken(spread: float, time: float) -> None:
    effect = told(alone("abc", round(1_000 * sorted_by_length(spread)(time)), 10.0 * time))
    least, greatest = range_of(effect)
    assert least <= 30.0 <= greatest


def test_the_range_is_narrower_the_further_the_first_file_is() -> None:
    widths = []
    for done in (100, 300, 600, 900):
        least, greatest = range_of(told(alone("a", done, done / 100)))
        widths.append(greatest - least)
    assert widths == sorted(widths, reverse=True)


def range_of(effect: Effect) -> tuple[float, float]:
    """What the expected end is likely between."""
    assert effect["makespan_expected_range"] is not None
    least, greatest = effect["makespan_expected_range"]
    assert greatest is not None
    return least, greatest


def measured() -> Script:
    """A device that has done seven files of one size in 10 s each, and has two more to do."""
    script = planned(dict.fromkeys("abcdefghi", "cpu:0"), policy="off", loading=["cpu:1"])
    for file in "abcdefg":
        do(script, "cpu:0", file, 10.0)
    return script


def test_a_device_that_has_completed_files_keeps_its_rate() -> None:
    script = measured()
    start(script, "cpu:0", "h", 200, 5.0)
    assert told(script)["makespan_expected_seconds"] == pytest.approx(90.0, abs=2.0)


def test_of_a_file_that_is_nearly_done_its_progress_shows_more_than_its_size() -> None:
    script = measured()
    start(script, "cpu:0", "h", 950, 6.0)
    by_size, by_progress = 70.0 + 10.0 + 10.0, 70.0 + 6.3 + 10.0
    expected = told(script)["makespan_expected_seconds"]
    assert expected is not None
    assert by_progress < expected < (by_size + by_progress) / 2


def test_how_late_a_late_file_will_be_its_progress_shows() -> None:
    with_progress, without = measured(), measured()
    start(with_progress, "cpu:0", "h", 500, 20.0)
    start(without, "cpu:0", "h")
    without.clock.advance(20.0)
    early, late = told(without)["makespan_expected_seconds"], told(with_progress)["makespan_expected_seconds"]
    assert early is not None
    assert late is not None
    assert early + 2.0 < late <= 70.0 + 40.0 + 20.0


def test_a_file_whose_last_sequence_is_done_is_expected_soon_however_long_it_took() -> None:
    script = alone("a", 1_000, 600.0)
    script.clock.advance(0.5)
    assert told(script)["makespan_expected_seconds"] == pytest.approx(603.0, abs=3.0)
