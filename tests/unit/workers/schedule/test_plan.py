"""Weights by device name, and the plan of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import MAX_COUNT, NAME_CHARACTERS, Device
from workers.inputs.ids import MAX_ID_BYTES
from workers.inputs.input_file import FileState, InputFile, digest_of_folder
from workers.inputs.input_files import InputFiles
from workers.schedule.plan import DEVICE_WEIGHTS, assign, plan_events, weight_of, weights_for

# Few values, so that equal costs and equal finishes are common.
costs = st.lists(st.one_of(st.integers(0, 6), st.integers(0, 10**12)), max_size=60)
weights = st.lists(st.sampled_from([*DEVICE_WEIGHTS.values(), 0.5, 2.0, 1e-9, 1e300]), min_size=1, max_size=12)


def plain_assign(costs: list[int], weights: list[float]) -> list[list[int]]:
    """Longest processing time first, by trying every device for every file."""
    loads = [0] * len(weights)
    queues: list[list[int]] = [[] for _ in weights]
    for file in sorted(range(len(costs)), key=lambda index: (-costs[index], index)):
        cost = max(1, costs[file])
        device = min(range(len(weights)), key=lambda index: ((loads[index] + cost) / weights[index], index))
        loads[device] += cost
        queues[device].append(file)
    return queues


@given(costs, weights)
def test_the_plan_equals_that_of_a_plain_search(costs: list[int], weights: list[float]) -> None:
    assert list(map(list, assign(costs, weights))) == plain_assign(costs, weights)


@given(costs, st.lists(st.floats(1e-308, 1e308), min_size=1, max_size=80))
def test_every_file_is_planned_once_and_each_queue_is_biggest_first(
    costs: list[int], weights: list[float]
) -> None:
    queues = assign(costs, weights)
    assert len(queues) == len(weights)
    assert sorted(file for queue in queues for file in queue) == list(range(len(costs)))
    for queue in queues:
        assert list(queue) == sorted(queue, key=lambda file: (-costs[file], file))


def test_more_than_64_different_weights_are_rounded_by_little() -> None:
    weights = [1 + index / 100 for index in range(200)]
    queues = assign([1] * 20_000, weights)
    finishes = [len(queue) / weight for queue, weight in zip(queues, weights, strict=True)]
    assert max(finishes) < 1.03 * 20_000 / sum(weights)


def test_a_device_twice_as_fast_is_assigned_twice_as_much() -> None:
    assert [len(queue) for queue in assign([5] * 30, [1.0, 2.0])] == [10, 20]


def test_empty_files_do_not_pile_up_on_one_device() -> None:
    assert [len(queue) for queue in assign([0] * 8, [1.0] * 4)] == [2, 2, 2, 2]


def test_the_longest_plan_fits_into_its_frames() -> None:
    state, path = FileState(MAX_COUNT, MAX_COUNT, MAX_COUNT), Path("/x")
    file = InputFile(
        "n" * (MAX_ID_BYTES + 20), path, "x", MAX_COUNT, MAX_COUNT, True, state, digest_of_folder("/")
    )
    stamp = Sequencer(ManualClock(), source="coordinator", run="r" * NAME_CHARACTERS)
    parts = list(plan_events([Device("d" * NAME_CHARACTERS)], [[0] * 1000], InputFiles.of([file]).planned))
    assert sum(len(part.files) for part in parts) == 1000
    assert max(len(encode(stamp.next_envelope(part))) for part in parts) <= MAX_FRAME_BYTES


def test_no_files_make_empty_queues() -> None:
    assert list(map(len, assign([], [1.0, 2.0]))) == [0, 0]


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("NVIDIA GeForce RTX 3080", 0.90),
        ("NVIDIA GeForce RTX 3090", 1.00),
        ("NVIDIA GeForce RTX 4080", 1.35),
        ("NVIDIA GeForce RTX 4090", 1.50),
        ("GeForce RTX 4090", 1.50),
        ("NVIDIA RTX A6000", 1.10),
        ("NVIDIA A100-SXM4-80GB", 1.20),
        ("NVIDIA A100 80GB PCIe", 1.20),
        ("A100-PCIE-40GB", 1.20),
        ("NVIDIA H100 80GB HBM3", 2.50),
        ("NVIDIA H100 PCIe", 2.50),
        ("NVIDIA H100 NVL", 2.50),
        ("Tesla V100-SXM2-16GB", 0.75),
        ("Tesla V100-PCIE-16GB", 0.75),
        ("Tesla V100-SXM2-32GB", 0.80),
        ("Tesla V100-DGXS-32GB", 0.80),
        ("CPU", 1.00),
    ],
)
def test_a_device_in_the_table_is_known_by_the_name_its_driver_gives(name: str, weight: float) -> None:
    assert weight_of(name) == (weight, True)


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA GeForce RTX 4080 SUPER",
        "NVIDIA GeForce RTX 4080 Laptop GPU",
        "NVIDIA GeForce RTX 3080 Ti",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA RTX 6000 Ada Generation",
        "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "NVIDIA GH200 480GB",
        "NVIDIA H200",
        "Tesla V100-SXM2",
        "NVIDIA A10",
        "GTX 3090",
        "",
    ],
)
def test_another_model_is_unknown_and_weighs_one(name: str) -> None:
    assert weight_of(name) == (1.0, False)


def test_automatic_weights_warn_once_of_each_unknown_device() -> None:
    found, warnings = weights_for("auto", ["NVIDIA H200", "NVIDIA RTX A6000", "NVIDIA H200", "odd\x1b"])
    assert found == (1.0, 1.10, 1.0, 1.0)
    assert len(warnings) == 2
    assert "NVIDIA H200" in warnings[0]
    assert "odd\\x1b" in warnings[1]


def test_weights_off_makes_all_devices_equal_without_a_warning() -> None:
    assert weights_for("off", ["NVIDIA H200", "NVIDIA RTX A6000"]) == ((1.0, 1.0), [])


def test_explicit_weights_are_in_device_order() -> None:
    assert weights_for("1.0, 1.5", ["x", "y"]) == ((1.0, 1.5), [])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("1.0", "must be one number for each device: 2, not 1"),
        ("1,2,3", "must be one number for each device: 2, not 3"),
        ("1,0", "above 0"),
        ("1,-2", "above 0"),
        ("1,nan", "finite"),
        ("1,inf", "finite"),
        ("fast,slow", "auto, off or numbers"),
        ("", "auto, off or numbers"),
        ("1,", "auto, off or numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        weights_for(spec, ["x", "y"])
