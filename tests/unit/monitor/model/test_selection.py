"""Which devices a person means."""

from __future__ import annotations

import pytest

from monitor.model.selection import select, unmatched
from tests.support.pictures import row
from virnucpro_bus.health.rows import Row


def device(device_id: int | str, uuid: str | None = None, host: str = "node1") -> Row:
    metrics, utilization = row(0)
    return {**metrics, "device_id": device_id, "uuid": uuid, "host": host}, utilization


ROWS = [
    device(0, "GPU-1a2b-0"),
    device(1, "GPU-1a2c-1"),
    device("cpu:0"),
    device(0, "GPU-ffff-0", "node2"),
    device("MIG-12", "MIG-12", "node2"),
]


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ("0", [0, 3]),
        ("1", [1]),
        ("GPU 1", [1]),
        ("gpu 1", [1]),
        (" 1 ", [1]),
        ("cpu:0", [2]),
        ("CPU:0", [2]),
        ("GPU-1a2b-0", [0]),
        ("GPU-1A2", [0, 1]),
        ("GPU-f", [3]),
        ("MIG-1", [4]),
        ("node2:0", [3]),
        ("node1:cpu:0", [2]),
        ("node1:GPU 0", [0]),
        ("node1:GPU-1a2", [0, 1]),
        ("node2:GPU-1a2", []),
        ("cpu", []),
        ("10", []),
        ("", []),
        ("1a2b", []),
    ],
)
def test_a_pattern_means_an_index_a_label_or_the_beginning_of_a_uuid(pattern: str, places: list[int]) -> None:
    assert list(select(ROWS, {pattern})) == [ROWS[place] for place in places]


def test_several_patterns_choose_what_any_of_them_means_in_the_order_of_the_rows() -> None:
    assert list(select(ROWS, ["cpu:0", "1", "GPU-1a2c"])) == [ROWS[1], ROWS[2]]


def test_patterns_that_match_no_device_are_listed() -> None:
    assert unmatched(ROWS, {"0", "7", "cpu:3", "GPU-1a"}) == ["7", "cpu:3"]
