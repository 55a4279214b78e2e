"""Which GPUs the key of a device names, and what devices of shared and joined GPUs are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.device_keys import device_title, gpus_of, index_in, join_gpus, order_of, share, uuid_of
from virnucpro_bus.devices import display_id
from virnucpro_bus.events.vocabulary import NAME_CHARACTERS, Device

UUIDS = st.uuids().map(lambda uuid: f"GPU-{uuid}")
OLD_MIG = st.tuples(st.uuids(), st.integers(0, 9)).map(lambda each: f"MIG-GPU-{each[0]}/{each[1]}/0")
SIMULATED = st.integers(0, 2000).map(lambda number: f"sim:{number}")
GPUS = st.lists(UUIDS | OLD_MIG | SIMULATED, min_size=1, max_size=6, unique=True)
A, B = Device("GPU-a", "NVIDIA A100", 0), Device("GPU-b", "NVIDIA A100", 3)


@given(GPUS, st.integers(1, 20))
def test_the_devices_that_are_made_of_gpus_name_these_gpus_and_differ(keys: list[str], workers: int) -> None:
    joined = join_gpus([Device(key) for key in keys])
    assert gpus_of(joined.key) == tuple(keys)
    shared = share(joined, workers)
    assert {gpus_of(device.key) for device in shared} == {tuple(keys)}
    assert len({device.key for device in shared}) == workers
    assert sorted((device.key for device in reversed(shared)), key=order_of) == [each.key for each in shared]


@given(st.text(max_size=NAME_CHARACTERS))
def test_every_key_of_another_program_names_itself_but_for_those_of_cpus(key: str) -> None:
    if not key.startswith(("GPU-", "MIG-", "sim:", "cpu:", "cuda:")):
        assert gpus_of(key) == (key,)


@pytest.mark.parametrize(
    ("key", "gpus", "uuid"),
    [
        ("cpu:0", (), None),
        ("cpu:0#2", (), None),
        ("cuda:0", ("cuda:0",), None),
        ("cuda:0#2", ("cuda:0",), None),
        ("mine#2", ("mine#2",), None),
        ("sim:0#1", ("sim:0",), None),
        ("GPU-a", ("GPU-a",), "GPU-a"),
        ("GPU-a#12", ("GPU-a",), "GPU-a"),
        ("GPU-a+GPU-b#0", ("GPU-a", "GPU-b"), None),
        ("GPU-a+GPU-a", ("GPU-a",), "GPU-a"),
        ("GPU-a#x", ("GPU-a#x",), "GPU-a#x"),
        ("GPU-a+tpu", ("GPU-a+tpu",), "GPU-a+tpu"),
    ],
)
def test_a_key_names_its_gpus_and_their_uuid_if_it_is_one(
    key: str, gpus: tuple[str, ...], uuid: str | None
) -> None:
    assert (gpus_of(key), uuid_of(key)) == (gpus, uuid)


def test_devices_of_shared_and_joined_gpus_are_called_by_their_indices() -> None:
    joined = join_gpus([A, B])
    assert joined == Device("GPU-a+GPU-b", "NVIDIA A100", 0, "0+3")
    assert [display_id(each) for each in (*share(B, 2), joined, *share(joined, 1))] == [
        "3#0",
        "3#1",
        "0+3",
        "0+3#0",
    ]
    assert [display_id(each) for each in share(Device("sim:1", "", 1), 2)] == ["sim:1#0", "sim:1#1"]
    unindexed = Device("MIG-c", "T4")
    assert display_id(share(unindexed, 1)[0]) == "MIG-c#0"
    assert join_gpus([A, unindexed]) == Device("GPU-a+MIG-c", "NVIDIA A100 + T4", 0)


def test_long_names_of_joined_gpus_fit_into_an_event() -> None:
    assert len(join_gpus([Device("GPU-a", "a" * 200), Device("GPU-b", "b" * 200)]).name) == NAME_CHARACTERS


@pytest.mark.parametrize(
    ("device_id", "title", "index"),
    [
        (0, "GPU 0", 0),
        ("12#1", "GPU 12#1", 12),
        ("1+2", "GPU 1+2", 1),
        ("1+2#0", "GPU 1+2#0", 1),
        ("cpu:4", "cpu:4", 4),
        ("sim:10#1", "sim:10#1", 10),
        ("cuda:1", "cuda:1", None),
        ("1#\x1b", "1#\\x1b", 1),
        ("2b", "2b", None),
    ],
)
def test_a_displayed_id_is_a_gpu_on_screen_where_it_is_made_of_indices(
    device_id: int | str, title: str, index: int | None
) -> None:
    assert (device_title(device_id), index_in(device_id)) == (title, index)
