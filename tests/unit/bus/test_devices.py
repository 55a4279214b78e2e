"""How devices are named, and which GPUs CUDA_VISIBLE_DEVICES selects."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.devices import (
    device_of,
    display_id,
    unread_entry,
    visible_devices,
    visible_gpus,
)
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device

UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
MIG = "MIG-1f7a1b50-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("value", "devices"),
    [
        (None, None),
        ("", []),
        ("0", ["0"]),
        ("2,0,1", ["2", "0", "1"]),
        (" 1 , 2 ", ["1", "2"]),
        (f"{UUID},{MIG}", [UUID, MIG]),
        (f"0,{UUID}", ["0", UUID]),
        ("-1", []),
        ("1,-1,2", ["1"]),
        ("0,,1", ["0"]),
        ("NoDevFiles", []),
        ("all", []),
        ("1.5", []),
        ("0,0", []),
        ("2, 1, 02", []),
        ("0,-1,0", ["0"]),
        (f"{UUID},0,{UUID}", []),
        ("²", []),
        ("٣", []),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(value: str | None, devices: list[str] | None) -> None:
    environment = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    assert visible_devices(environment) == devices


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        (None, None),
        ("", None),
        ("-1", None),
        ("0,-1,1", None),
        ("NoDevFiles", None),
        (f"0,{UUID}", None),
        ("0,", None),
        ("x", "x"),
        (" ", ""),
        (",", ""),
        ("0,,1", ""),
        ("0, all", "all"),
        ("none", "none"),
        ("void", "void"),
        ("0,٣", "٣"),
    ],
)
def test_the_entry_at_which_cuda_stops_is_found_unless_it_was_intended(
    value: str | None, entry: str | None
) -> None:
    environment = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    assert unread_entry(environment) == entry


@pytest.mark.parametrize(
    ("key", "device"),
    [
        ("0", Device("cuda:0")),
        ("07", Device("cuda:7")),
        ("cuda:1", Device("cuda:1")),
        ("cpu:3", Device("cpu:3", index=3)),
        ("cpu:x", Device("cpu:x")),
        ("cpu:٣", Device("cpu:٣")),
        ("٣", Device("٣")),
        (UUID, Device(UUID)),
        ("my tpu", Device("my tpu")),
    ],
)
def test_a_device_is_made_from_what_a_person_writes(key: str, device: Device) -> None:
    assert device_of(key) == device


@pytest.mark.parametrize(
    ("device", "shown"),
    [
        (Device(UUID, "A100", 3), 3),
        (Device(UUID, "A100", 0), 0),
        (Device(UUID), UUID),
        (Device("cpu:2", "CPU", 2), "cpu:2"),
        (Device("cuda:1"), "cuda:1"),
    ],
)
def test_a_device_is_shown_by_its_index_where_that_is_known(device: Device, shown: int | str) -> None:
    assert display_id(device) == shown


@pytest.mark.parametrize(
    ("value", "both"),
    [
        ("0,0", "0 and 0"),
        ("1, 0, 01", "1 and 1"),
        ("GPU-b1,GPU-c1,GPU-b1", "GPU-b1 and GPU-b1"),
        ("GPU-b,GPU-b1", "GPU-b and GPU-b1"),
        ("GPU-b1,0", "GPU-b1 and 0"),
    ],
)
def test_a_gpu_that_is_named_twice_is_refused_since_cuda_then_uses_none(value: str, both: str) -> None:
    present = [Device("GPU-b1", "A100", 0), Device("GPU-c1", "A100", 1)]
    message = f"CUDA_VISIBLE_DEVICES: names a GPU twice ({both}), and CUDA then uses none; name each once"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        visible_gpus({"CUDA_VISIBLE_DEVICES": value}, present)


@pytest.mark.parametrize("order", [None, "PCI_BUS_ID"])
def test_a_number_is_refused_while_a_gpu_is_missing_and_a_uuid_is_not(order: str | None) -> None:
    present = [Device("GPU-b1", "A100", 1), Device("GPU-c1", "A100", 2)]
    environment = {"CUDA_VISIBLE_DEVICES": "GPU-c,1"} | ({} if order is None else {"CUDA_DEVICE_ORDER": order})
    with pytest.raises(UserError, match=r"GPU 1 is ambiguous while a GPU is lost .*; name GPUs by UUID"):
        visible_gpus(environment, present, some_missing=True)
    assert [gpu.key for gpu in visible_gpus(environment, present)] == ["GPU-c1", "GPU-b1"]
    by_uuid = environment | {"CUDA_VISIBLE_DEVICES": "GPU-c,GPU-b"}
    assert len(visible_gpus(by_uuid, present, some_missing=True)) == 2
    assert visible_gpus({}, present, some_missing=True) == present


entries = st.sampled_from(["0", "1", "2", "7", "-1", "", "x", "GPU-a", "GPU-a1", "GPU-b", "GPU-", "MIG-1", "MIG-"])


@given(
    names=st.lists(st.sampled_from(["A100", "T4", ""]), min_size=1, max_size=3),
    value=st.none() | st.lists(entries, max_size=4).map(",".join),
    order=st.sampled_from([None, "FASTEST_FIRST", "PCI_BUS_ID"]),
)
def test_what_is_visible_is_present_and_never_selected_by_an_ambiguous_number(
    names: list[str], value: str | None, order: str | None
) -> None:
    keys = ("GPU-a1", "GPU-a2", "GPU-b1")
    present = [Device(key, name, index) for index, (key, name) in enumerate(zip(keys, names, strict=False))]
    environment = {"CUDA_VISIBLE_DEVICES": value, "CUDA_DEVICE_ORDER": order}
    given = {name: text for name, text in environment.items() if text is not None}
    chosen: list[Device] | None = None
    with suppress(UserError):
        chosen = visible_gpus(given, present)
    if chosen is None:
        return
    asked = visible_devices(given)
    assert set(chosen) <= set(present)
    assert (chosen == present) if asked is None else len(chosen) <= len(asked)
    if any(entry.isdecimal() for entry in asked or []):
        assert order == "PCI_BUS_ID" or len(set(names)) == 1
