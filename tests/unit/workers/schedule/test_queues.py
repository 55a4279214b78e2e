"""The queues of pending files, on their own."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from workers.schedule.queues import Choice, DeviceQueues


@st.composite
def plans(draw: st.DrawFn) -> list[list[int]]:
    """Every file in the queue of one device."""
    devices = draw(st.integers(1, 5))
    queues: list[list[int]] = [[] for _ in range(devices)]
    for file, device in enumerate(draw(st.lists(st.integers(0, devices - 1), max_size=30))):
        queues[device].append(file)
    return queues


def taken(queues: DeviceQueues, device: int) -> list[int]:
    """All that the queue of `device` gives, in order."""
    files = []
    while (file := queues.first(device)) is not None:
        queues.remove(device, file)
        files.append(file)
    return files


@given(plans())
def test_a_queue_gives_its_own_files_biggest_first_and_then_none(plan: list[list[int]]) -> None:
    queues = DeviceQueues(plan)
    assert [taken(queues, device) for device in range(len(plan))] == plan


@given(plans())
def test_depths_count_the_pending_files(plan: list[list[int]]) -> None:
    assert DeviceQueues(plan).depths() == [len(files) for files in plan]


@given(plans(), st.integers(0, 31))
def test_the_first_from_a_number_is_the_biggest_file_that_is_no_bigger(plan: list[list[int]], least: int) -> None:
    queues = DeviceQueues(plan)
    found = [queues.first_from(device, least) for device in range(len(plan))]
    assert found == [min((file for file in files if file >= least), default=None) for files in plan]


@given(plans(), st.data())
def test_a_file_is_removed_from_anywhere_in_a_queue_and_no_other_is(
    plan: list[list[int]], data: st.DataObject
) -> None:
    queues = DeviceQueues(plan)
    for device, files in enumerate(plan):
        for file in data.draw(st.lists(st.sampled_from(files), unique=True)) if files else []:
            queues.remove(device, file)
            files.remove(file)
        assert queues.files(device) == files
        assert queues.last(device) == max(files, default=None)


@given(plans())
def test_the_owner_of_a_file_is_found_while_the_file_is_in_a_queue(plan: list[list[int]]) -> None:
    queues = DeviceQueues(plan)
    for device, files in enumerate(plan):
        for file in files:
            assert queues.owner(file) == device
            queues.remove(device, file)
            assert queues.owner(file) is None


@given(plans(), st.data())
def test_a_closed_queue_loses_no_file_and_the_others_stay_biggest_first(
    plan: list[list[int]], data: st.DataObject
) -> None:
    queues = DeviceQueues(plan)
    closed = data.draw(st.integers(0, len(plan) - 1))
    orphans = queues.close(closed)
    left = [taken(queues, device) for device in range(len(plan))]
    assert sorted(chain(orphans, *left)) == sorted(chain(*plan))
    assert left[closed] == []
    assert all(files == sorted(files) for files in left)
    assert orphans == (plan[closed] if len(plan) == 1 else [])


@given(plans())
def test_a_queue_that_is_added_is_empty_and_gets_files_of_closed_ones(plan: list[list[int]]) -> None:
    queues = DeviceQueues(plan)
    queues.add_device()
    assert queues.depths() == [*map(len, plan), 0]
    orphans = [queues.close(device) for device in range(len(plan))]
    assert not any(orphans)
    assert taken(queues, len(plan)) == sorted(chain(*plan))


@given(plans(), st.data())
def test_what_a_worker_holds_ahead_is_out_of_reach_but_pending_until_it_begins_or_returns_it(
    plan: list[list[int]], data: st.DataObject
) -> None:
    queues = DeviceQueues(plan)
    device = data.draw(st.integers(0, len(plan) - 1))
    files = plan[device]
    number = data.draw(st.integers(0, len(files)))
    for file in files[:number]:
        queues.hand_ahead(device, Choice(device, file))
    assert (queues.files(device), queues.pending()) == (files, [*map(len, plan)])
    assert (queues.ahead(device), queues.depths()[device]) == (files[:number], len(files) - number)
    begun = data.draw(st.integers(0, number))
    for _ in range(begun):
        queues.begin_ahead(device)
    orphans = [file for _ in range(number - begun) for file in queues.return_ahead(device)]
    assert (orphans, taken(queues, device)) == ([], files[begun:])


def test_what_the_worker_of_a_closed_queue_held_ahead_goes_to_another_one_while_one_is_open() -> None:
    queues = DeviceQueues([[0, 1, 2], [3]])
    for file in (0, 1):
        queues.hand_ahead(0, Choice(0, file))
    assert queues.close(0) == []
    assert queues.return_ahead(0) == []
    assert taken(queues, 1) == [1, 2, 3]
    queues.close(1)
    assert queues.return_ahead(0) == [0]


def test_the_files_of_a_closed_queue_fill_up_the_shortest_ones() -> None:
    queues = DeviceQueues([list(range(5)), [5, 6, 7], []])
    queues.close(0)
    assert queues.depths() == [0, 4, 4]


def test_closing_a_queue_shuts_only_that_one() -> None:
    queues = DeviceQueues([[], []])
    queues.close(1)
    assert [queues.is_open(0), queues.is_open(1)] == [True, False]
