"""A work log added up, in one go and update by update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus.effect.device_totals import DeviceTotals
from virnucpro_bus.effect.duration_model import FILES_SAMPLED
from virnucpro_bus.effect.totals import MAX_STEALS_REPORTED, TotalsCache, WorkTotals
from virnucpro_bus.effect.work_log import Steal, WorkLog
from virnucpro_bus.events.run_events import PlannedFile
from virnucpro_bus.fold.fleet import FleetState

FILES = [f"{number}.fa" for number in range(6)]
files, devices, times = st.sampled_from(FILES), st.sampled_from(["a", "b", "c"]), st.integers(0, 9)
entries = st.one_of(
    st.builds(
        lambda device, file, cost: lambda log: log.assign(device, (PlannedFile(file, 1, cost),)),
        *(devices, files, times),
    ),
    st.builds(
        lambda file, end, seconds, device: lambda log: log.complete(file, end, seconds / 7, device),
        *(files, times, times, devices),
    ),
    st.builds(
        lambda end, seconds, device: lambda log: log.fail(end, seconds / 7, device), *(times, times, devices)
    ),
    st.builds(lambda *steal: lambda log: log.steal(Steal(*steal)), times, devices, devices, files, st.just(1)),
)


def everything(totals: WorkTotals) -> dict[str, Any]:
    return {
        "files": sorted(totals.files()),
        "known": totals.known,
        "devices": {key: (device.sampled_files(), repr(device)) for key, device in totals.devices.items()},
        "moved": {pair: (moved.files, moved.took_ns) for pair, moved in totals.moved.items()},
        "latest": totals.latest,
        "left": {owner: repr(left) for owner, left in totals.remaining(()).items()},
        "open": [totals.open_steal(file) for file in FILES],
    }


@given(told=st.lists(entries, max_size=30), looks=st.sets(st.integers(0, 30)), data=st.data())
def test_the_totals_are_those_of_the_whole_log_whatever_came_when_and_was_read_between(
    told: list[Callable[[WorkLog], None]], looks: set[int], data: st.DataObject
) -> None:
    log, whole = WorkLog(), WorkLog()
    cache = TotalsCache()
    for add in told:
        add(whole)
    for number, add in enumerate(data.draw(st.permutations(told))):
        if number in looks:
            everything(cache.of(log, 3))
        add(log)
    assert everything(cache.of(log, 3)) == everything(TotalsCache().of(whole, 3))


def test_what_has_been_added_up_is_not_read_again() -> None:
    log = WorkLog()
    cache = TotalsCache()
    log.assign("a", tuple(PlannedFile(file, 1, 1) for file in FILES))
    log.complete(FILES[0], 5, 1.0, "a")
    cache.of(log, 0)
    # Never done in practice; but if it were read once more, the totals would change.
    log.seconds[0], log.files[0] = 99.0, FILES[2]
    log.complete(FILES[1], 6, 1.0, "a")
    assert cache.of(log, 0).devices["a"].took_ns == 2e9


def test_a_file_that_is_done_again_after_an_update_counts_once_as_it_was_done_later() -> None:
    log = WorkLog()
    cache = TotalsCache()
    log.assign("a", (PlannedFile("f", 1, 7),))
    for end_ns, device in ((5, "a"), (9, "b")):
        log.complete("f", end_ns, 1.0, device)
        totals = cache.of(log, 0)
    assert {key: device.work for key, device in totals.devices.items()} == {"b": 7}


def test_a_file_that_is_stolen_again_after_an_update_has_moved_to_its_last_thief() -> None:
    log = WorkLog()
    cache = TotalsCache()
    log.assign("a", (PlannedFile("f", 1, 1),))
    for at, thief in ((5, "b"), (9, "c")):
        log.steal(Steal(at, thief, "a", "f", at))
        cache.of(log, 0)
    log.complete("f", 10, 1.0, "c")
    assert list(cache.of(log, 0).moved) == [("c", "a")]


def test_another_session_is_added_up_anew() -> None:
    log = WorkLog()
    cache = TotalsCache()
    log.assign("a", (PlannedFile("f", 1, 1),))
    log.complete("f", 5, 1.0, "a")
    assert cache.of(log, 0).done("f") == (5, 1.0, "a")
    assert cache.of(log, 6).done("f") is None


@given(st.integers(0, 2**63), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_of_many_files_the_same_ones_are_heard_however_they_came(first_ns: int, cuts: list[int]) -> None:
    ends = [first_ns + 1_000_003 * number for number in range(3 * FILES_SAMPLED)]
    works, seconds = [1 + number % 97 for number in range(len(ends))], [end % 13 / 7 for end in ends]
    at_once, bit_by_bit = DeviceTotals(), DeviceTotals()
    at_once.complete(works, ends, seconds)
    step = len(ends) // len(cuts) + 1
    for start in reversed(range(0, len(ends), step)):
        part = slice(start, start + step)
        bit_by_bit.complete(works[part], ends[part], seconds[part])
    assert bit_by_bit.sampled_files() == at_once.sampled_files()
    assert len(at_once.sampled_files()) == FILES_SAMPLED
    assert bit_by_bit.took_ns == at_once.took_ns


def test_the_files_that_are_heard_are_of_the_whole_run() -> None:
    device = DeviceTotals()
    works = list(range(1, 100 * FILES_SAMPLED + 1))
    device.complete(works, [10**9 * work for work in works], [1.0] * len(works))
    quarter = len(works) / 4
    for first in range(4):
        heard = [work for work, _ in device.sampled_files() if first * quarter < work <= (first + 1) * quarter]
        assert len(heard) > FILES_SAMPLED / 5


def test_the_latest_moves_are_kept_and_all_are_counted() -> None:
    log, names = WorkLog(), [f"{number}.fa" for number in range(MAX_STEALS_REPORTED + 50)]
    cache = TotalsCache()
    log.assign("a", tuple(PlannedFile(name, 1, 1) for name in names))
    for at, name in enumerate(names):
        log.steal(Steal(at, "b", "a", name, 1))
        log.complete(name, at, 2.0, "b")
        if at % 300 == 0:
            cache.of(log, 0)
    totals = cache.of(log, 0)
    assert [steal.file for steal in totals.latest] == names[50:]
    assert (totals.moved["b", "a"].files, totals.moved["b", "a"].took_ns) == (len(names), 2e9 * len(names))


@given(seed=st.integers(0, 5), shares=st.lists(st.floats(0.01, 1.2), max_size=5).map(sorted))
def test_updates_on_the_way_change_nothing_of_the_result_at_the_end(seed: int, shares: list[float]) -> None:
    run = ImaginedRun([15 * (7 * number % (11 + seed) + 1) for number in range(25)], [1.0, 2.5, 0.5], "cost")
    run.work()
    frames = run.script.frames()
    fleet = FleetState(run.script.clock, local_host=run.host)
    for share in shares:
        fleet.feed(frames[: int(share * len(frames))])
        fleet.get_effect()
    fleet.feed(frames)
    assert fleet.get_effect() == run.fleet().get_effect()
